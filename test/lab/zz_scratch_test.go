//go:build linux

package lab

import "testing"

func TestScratchBuild(t *testing.T) {
	for _, v := range KubeletVersions() {
		k, err := BuildKubelet(t.Context(), "../../bin", v, t.Logf)
		t.Log(k, err)
	}
}
