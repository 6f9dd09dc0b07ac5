package main

import (
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
)

// bomOf returns a bill of materials of a command that depends on the named components.
func bomOf(module, command string, names ...string) *cyclonedx.BOM {
	bom := cyclonedx.NewBOM()
	ref := module + "#cmd/" + command
	bom.Metadata = &cyclonedx.Metadata{
		Component: &cyclonedx.Component{BOMRef: ref, PackageURL: ref},
		Tools:     &cyclonedx.ToolsChoice{Tools: &[]cyclonedx.Tool{{Name: "tool", Hashes: &[]cyclonedx.Hash{{Value: "of this machine"}}}}}, //nolint:staticcheck // what cyclonedx-gomod writes
	}
	bom.Components = &[]cyclonedx.Component{}
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: ref, Dependencies: &names}}
	for _, name := range names {
		*bom.Components = append(*bom.Components, cyclonedx.Component{BOMRef: name, Name: name})
	}
	return bom
}

func TestMerge_EachComponentOnce(t *testing.T) {
	merged, err := merge([]*cyclonedx.BOM{bomOf("m@v1", "producer", "c", "golang.org/x/sys"), bomOf("m@v1", "gauge", "a", "c")})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range *merged.Components {
		names = append(names, c.Name)
		if c.Name == "golang.org/x/sys" && (c.Evidence == nil || (*c.Evidence.Licenses)[0].License.ID != "BSD-3-Clause") {
			t.Errorf("licence of %s: %+v", c.Name, c.Evidence)
		}
	}
	if got := strings.Join(names, " "); got != "a c golang.org/x/sys" {
		t.Errorf("components %s", got)
	}
	d := (*merged.Dependencies)[0]
	if got := strings.Join(*d.Dependencies, " "); d.Ref != "m@v1" || got != "a c golang.org/x/sys" || len(*merged.Dependencies) != 1 {
		t.Errorf("%s depends on %s", d.Ref, got)
	}
	if c := merged.Metadata.Component; c.BOMRef != "m@v1" || c.PackageURL != "m@v1" || merged.SerialNumber != "" || merged.Metadata.Timestamp != "" {
		t.Errorf("subject %+v, serial number %q, time %q", c, merged.SerialNumber, merged.Metadata.Timestamp)
	}
	if (*merged.Metadata.Tools.Tools)[0].Hashes != nil { //nolint:staticcheck // likewise
		t.Error("the hash of a tool is there, which depends on the machine")
	}
	if _, err := merge([]*cyclonedx.BOM{bomOf("m@v1", "producer"), bomOf("m@v2", "gauge")}); err == nil {
		t.Error("commands of two versions: want an error")
	}
	if _, err := merge([]*cyclonedx.BOM{{}}); err == nil {
		t.Error("an empty bill of materials: want an error")
	}
}
