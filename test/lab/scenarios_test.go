//go:build linux

package lab

import (
	"slices"
	"testing"

	"pullcause/agent/diagnose"
)

// What a scenario expects must be something that the agent can say, and a
// record must be attributable to one scenario.
func TestScenarios(t *testing.T) {
	t.Parallel()
	var names, images []string
	for _, s := range Scenarios() {
		names, images = append(names, s.Name), append(images, s.Image)
		for _, want := range []Outcome{s.Expect(Containerd{Major: 1}), s.Expect(Containerd{Major: 2})} {
			if want.Cause != "" && !slices.ContainsFunc(diagnose.Causes(), func(i diagnose.Info) bool { return string(i.Cause) == want.Cause }) {
				t.Errorf("%s: %q is no cause", s.Name, want.Cause)
			}
		}
	}
	for _, list := range [][]string{names, images} {
		slices.Sort(list)
		if compact := slices.Compact(slices.Clone(list)); len(compact) != len(list) {
			t.Errorf("not unique: %q", list)
		}
	}
}
