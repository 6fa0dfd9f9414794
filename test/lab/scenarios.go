//go:build linux

package lab

import (
	"slices"
	"strings"
	"time"
)

// Scenario is one pull and what is to be said about it.
type Scenario struct {
	Name  string
	Image string
	// Want is what containerd 2.4's lines tell, Old what those of containerd 1
	// tell where that differs.
	Want Outcome
	Old  *Outcome

	// Login is sent with the pull, as the kubelet sends what it finds in a pull secret.
	Login *Login
	// Sandbox runs a pod instead of pulling: Image is the pause image.
	Sandbox bool
	// KubeletOnly marks a pull that a kubelet does not hand to the runtime.
	KubeletOnly bool

	slow bool // takes seconds; runs beside the others
	last bool // spoils the node; runs alone at the end
	// abort ends the pull after a while where the runtime itself never would.
	abort time.Duration
}

// Outcome of a scenario. The zero value is a success: nothing is to be reported.
type Outcome struct {
	Cause  string
	Detail string
	// Status is the HTTP status of the terminal error, 0 where the lines tell none.
	Status int
	// Hosts that were tried, in order; nil where that is not looked at.
	Hosts []string
}

// Login is a name and a password.
type Login struct{ User, Password string }

// Pod is the pod that wants the image: each scenario has its own.
func (s Scenario) Pod() Pod {
	return Pod{
		Namespace: "shop",
		Name:      strings.ReplaceAll(strings.ToLower(s.Name), " ", "-") + "-0",
		UID:       uid(s.Name),
	}
}

// Expect returns what is to be said about the scenario on c.
func (s Scenario) Expect(c Containerd) Outcome {
	if c.Major == 1 && s.Old != nil {
		return *s.Old
	}
	return s.Want
}

// Scenarios are all pulls of the lab, in the order in which they are played.
func Scenarios() []Scenario {
	return slices.Concat(
		[]Scenario{{Name: "success", Image: "registry.lab.test/team/ok:1.0"}},
		references(), credentials(), refusals(), names(), connections(), contents(), others(),
	)
}
