//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"pullcause/test/lab"
)

// look is the time between two looks at the logs.
const look = time.Second

// trial is a pod to look at, and what is wrong with which repository of its images.
type trial struct {
	manifest lab.Manifest
	faults   map[string]lab.Fault
}

func app(name string) string { return "registry.lab.test/app/" + name }

func image(name string) string { return app(name) + ":1.0" }

// trials are pods that wait, each for another reason.
func trials() []trial {
	one := func(name, image, policy string) lab.Manifest {
		return lab.Manifest{Namespace: "shop", Name: name, Containers: []lab.Container{{Name: "app", Image: image, Policy: policy}}}
	}
	return []trial{
		{manifest: one("good", image("good"), "")},
		{manifest: one("denied", image("denied"), lab.Always), faults: map[string]lab.Fault{app("denied"): lab.Forbidden}},
		{manifest: one("private", image("private"), lab.IfNotPresent), faults: map[string]lab.Fault{app("private"): lab.Unauthorized}},
		{manifest: one("never", image("never"), lab.Never)},
		{manifest: one("invalid", "registry.lab.test/App/Invalid:1.0", "")},
		{
			manifest: lab.Manifest{
				Namespace: "shop", Name: "initial",
				InitContainers: []lab.Container{{Name: "first", Image: image("first")}, {Name: "second", Image: image("second")}},
				Containers:     []lab.Container{{Name: "app", Image: image("after")}},
			},
			faults: map[string]lab.Fault{app("second"): lab.Unavailable},
		},
		{
			manifest: lab.Manifest{
				Namespace: "shop", Name: "several",
				Containers: []lab.Container{{Name: "one", Image: image("one")}, {Name: "two", Image: image("two")}, {Name: "three", Image: image("three")}},
			},
			faults: map[string]lab.Fault{app("one"): lab.NotFound, app("three"): lab.RateLimited},
		},
		{
			manifest: lab.Manifest{
				Namespace: "shop", Name: "volume",
				ImageVolumes: []lab.ImageVolume{{Name: "model", Image: image("model")}},
				Containers:   []lab.Container{{Name: "app", Image: image("reader")}},
			},
			faults: map[string]lab.Fault{app("model"): lab.NotFound},
		},
		{manifest: lab.Manifest{
			Namespace: "shop", Name: "secret", PullSecrets: []string{"registry-login"},
			Containers: []lab.Container{{Name: "app", Image: image("secret")}},
		}},
	}
}

// pods lets a kubelet look after pods whose images cannot be pulled, and prints
// what it and containerd write about them.
func pods(ctx context.Context, n *lab.Node, o options) error {
	ctx, cancel := context.WithTimeout(ctx, o.duration)
	defer cancel()
	if o.noPause {
		if err := n.SetListening("registry.k8s.io", false); err != nil {
			return err
		}
	}
	for _, t := range trials() {
		for repository, fault := range t.faults {
			if err := n.SetFault(repository, fault); err != nil {
				return err
			}
		}
		pod, err := n.AddPod(t.manifest)
		if err != nil {
			return err
		}
		logf("pod %s/%s, uid %s", pod.Namespace, pod.Name, pod.UID)
	}
	return follow(ctx, printer{read: n.Log}, printer{read: n.ReadKubeletLog})
}

// follow prints what the logs get until ctx ends.
func follow(ctx context.Context, logs ...printer) error {
	again := time.NewTicker(look)
	defer again.Stop()
	for {
		for i := range logs {
			if err := logs[i].print(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil
			}
			return ctx.Err()
		}
	}
}

// printer prints the lines of a log that are about the pods.
type printer struct {
	read func(context.Context) ([]byte, error)
	done int  // what has been looked at, in bytes
	said bool // the last line was printed, and so is what continues it
}

func (p *printer) print(ctx context.Context) error {
	text, err := p.read(ctx)
	if err != nil {
		return err
	}
	fresh := text[p.done : bytes.LastIndexByte(text, '\n')+1]
	p.done += len(fresh)
	for line := range bytes.Lines(fresh) {
		continued := bytes.HasPrefix(line, []byte("\t")) || bytes.HasPrefix(line, []byte(" >"))
		p.said = continued && p.said || isAboutPods(line)
		if p.said {
			fmt.Fprintf(os.Stdout, "%s", line)
		}
	}
	return nil
}

func isAboutPods(line []byte) bool {
	for _, word := range []string{"shop", "lab.test", "registry.k8s.io", "static pod"} {
		if bytes.Contains(line, []byte(word)) {
			return true
		}
	}
	return false
}
