package main

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"
)

// merge returns the bill of materials of the release: the components of all commands, each once,
// and what depends on what. The commands are of one module and version.
func merge(boms []*cyclonedx.BOM) (*cyclonedx.BOM, error) {
	var subject *cyclonedx.Component
	components := map[string]cyclonedx.Component{}
	dependsOn := map[string][]string{}
	for _, bom := range boms {
		if bom.Metadata == nil || bom.Metadata.Component == nil || bom.Components == nil || bom.Dependencies == nil {
			return nil, errors.New("a bill of materials lacks its subject, its components or their dependencies")
		}
		command := *bom.Metadata.Component
		module := withoutCommand(command.BOMRef)
		if subject == nil {
			subject = &command
			subject.BOMRef, subject.PackageURL = module, withoutCommand(command.PackageURL)
		}
		if module != subject.BOMRef {
			return nil, errors.New("bills of materials of different subjects: " + module + " and " + subject.BOMRef)
		}
		for _, c := range *bom.Components {
			correctLicence(&c)
			components[c.BOMRef] = c
		}
		for _, d := range *bom.Dependencies {
			ref := withoutCommand(d.Ref)
			dependsOn[ref] = append(dependsOn[ref], deref(d.Dependencies)...)
		}
	}
	merged := cyclonedx.NewBOM()
	merged.Metadata = &cyclonedx.Metadata{Component: subject, Tools: tools(boms[0].Metadata.Tools)}
	list := slices.SortedFunc(maps.Values(components), func(a, b cyclonedx.Component) int { return cmp.Compare(a.BOMRef, b.BOMRef) })
	merged.Components = &list
	dependencies := []cyclonedx.Dependency{}
	for _, ref := range slices.Sorted(maps.Keys(dependsOn)) {
		on := slices.Compact(slices.Sorted(slices.Values(dependsOn[ref])))
		dependencies = append(dependencies, cyclonedx.Dependency{Ref: ref, Dependencies: &on})
	}
	merged.Dependencies = &dependencies
	return merged, nil
}

// withoutCommand returns the reference of the module that a command is of.
func withoutCommand(ref string) string {
	module, _, _ := strings.Cut(ref, "#cmd/")
	return module
}

func deref(list *[]string) []string {
	if list == nil {
		return nil
	}
	return *list
}

// tools returns the tools without their hashes: those depend on where a tool was built.
func tools(choice *cyclonedx.ToolsChoice) *cyclonedx.ToolsChoice {
	if choice == nil {
		return nil
	}
	if choice.Tools != nil { //nolint:staticcheck // what cyclonedx-gomod writes
		for i := range *choice.Tools { //nolint:staticcheck // likewise
			(*choice.Tools)[i].Hashes = nil //nolint:staticcheck // likewise
		}
	}
	return choice
}

// correctLicence sets the licence of Go's own modules. They have that of Go, BSD-3-Clause, which
// cyclonedx-gomod takes for BSD-Source-Code, and does not find for the standard library.
func correctLicence(c *cyclonedx.Component) {
	if c.Name == "std" || strings.HasPrefix(c.Name, "golang.org/x/") {
		c.Evidence = &cyclonedx.Evidence{Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "BSD-3-Clause"}}}}
	}
}
