// Command sbom writes one software bill of materials (CycloneDX 1.6, JSON) of the commands of a
// release from those that cyclonedx-gomod makes of each command:
//
//	sbom -out FILE BOM...
//
// The same inputs give the same file: it has neither a serial number nor a time.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/CycloneDX/cyclonedx-go"
)

func main() {
	out := flag.String("out", "", "file to write")
	flag.Parse()
	if *out == "" || flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "sbom: error: want -out FILE and the files to merge\nsbom: hint: see -help")
		os.Exit(2)
	}
	if err := write(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "sbom: error:", err)
		os.Exit(1)
	}
}

func write(out string, paths []string) error {
	boms := make([]*cyclonedx.BOM, len(paths))
	for i, path := range paths {
		var err error
		if boms[i], err = read(path); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
	}
	merged, err := merge(boms)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644) //nolint:gosec // is to be given away
	if err != nil {
		return fmt.Errorf("write the bill of materials: %w", err)
	}
	encoder := cyclonedx.NewBOMEncoder(file, cyclonedx.BOMFileFormatJSON).SetPretty(true)
	if err := encoder.EncodeVersion(merged, cyclonedx.SpecVersion1_6); err != nil {
		return fmt.Errorf("write the bill of materials: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write the bill of materials: %w", err)
	}
	return nil
}

func read(path string) (*cyclonedx.BOM, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(file, cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return &bom, nil
}
