package image

import (
	"debug/buildinfo"
	"maps"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"

	"pullcause/test/image/roots"
)

func TestSBOM(t *testing.T) {
	for _, p := range built(t).Each {
		t.Run(p.Name(), func(t *testing.T) {
			if text := read(t, p.Binary+sbomExt); text != string(p.SBOM) {
				t.Error("the file beside the program differs from what is pushed")
			}
			bom := new(cdx.BOM)
			if err := cdx.NewBOMDecoder(strings.NewReader(string(p.SBOM)), cdx.BOMFileFormatJSON).Decode(bom); err != nil {
				t.Fatal(err)
			}
			if bom.SerialNumber != "" || bom.Metadata.Timestamp != "2026-11-25T12:00:00Z" {
				t.Errorf("serial number %q, time %q: it would differ each time", bom.SerialNumber, bom.Metadata.Timestamp)
			}
			if c := bom.Metadata.Component; c.Name != "pullcause" || c.Version != "v1.2.3" {
				t.Errorf("about %s %s", c.Name, c.Version)
			}
			// The linker's own list is the truth.
			info, err := buildinfo.ReadFile(p.Binary)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"std": info.GoVersion, roots.Path: moduleVersion(roots.Module)}
			want["std"] = strings.TrimSpace(want["std"])
			for _, m := range info.Deps {
				want[m.Path] = m.Version
			}
			got, unlicensed := map[string]string{}, []string{}
			for _, c := range *bom.Components {
				got[c.Name] = c.Version
				if c.Evidence == nil || c.Evidence.Licenses == nil {
					unlicensed = append(unlicensed, c.Name)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("modules (-want +got):\n%s", diff)
			}
			// Go's own licence is where no tool of modules looks.
			if slices.Sort(unlicensed); !slices.Equal(unlicensed, []string{roots.Path, "std"}) {
				t.Errorf("no licence was found for %v", unlicensed)
			}
			t.Logf("%d components of %d modules", len(*bom.Components), len(slices.Collect(maps.Keys(want))))
		})
	}
}
