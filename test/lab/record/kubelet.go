//go:build linux

package record

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"

	"pullcause/test/lab"
)

// The container whose image the kubelet pulls.
const container = "app"

// site is the place in the sources that a line's header names.
type site struct {
	file string
	line int
}

// The places of kubelet v1.37.2 (k8s.io/kubernetes, k8s.io/cri-client v0.37.2)
// that write about failed pulls.
var (
	pullImage        = site{"remote_image.go", 334}
	pullWithoutLogin = site{"kuberuntime_image.go", 43}
	runPodSandbox    = site{"remote_runtime.go", 325}
	createSandbox    = site{"kuberuntime_sandbox.go", 74}
	createForPod     = site{"kuberuntime_manager.go", 1747}
	startContainer   = site{"kuberuntime_manager.go", 1854}
	syncPod          = site{"pod_workers.go", 1338}
)

// kubelet writes what kubelet v1.37.2 writes at its default level about pulls
// that the runtime answered with an error: the same messages, keys and nesting,
// through the same logging library.
type kubelet struct {
	mu  sync.Mutex
	out *bufio.Writer // remembers an error until it is flushed
}

// pid is what every line of the recording shows.
const pid = 1184

// say writes one record.
func (k *kubelet) say(at site, name string, err error, msg string, keysAndValues ...any) {
	var text bytes.Buffer
	logger := klog.Logger(textlogger.NewLogger(textlogger.NewConfig(
		textlogger.Output(&text),
		textlogger.FixedTime(time.Now().UTC()),
		textlogger.Backtrace(func(int) (string, int) { return at.file, at.line }),
	)))
	if name != "" {
		logger = klog.LoggerWithName(logger, name)
	}
	logger.Error(err, msg, keysAndValues...)
	line := text.Bytes()
	// E1124 05:02:23.217665   21023 file.go:1] the process id is right-aligned in 7 columns.
	const header = len("E1124 05:02:23.217665 ")
	copy(line[header:header+7], fmt.Sprintf("%7d", pid))
	k.mu.Lock()
	defer k.mu.Unlock()
	k.out.Write(line)
}

// failed tells about a scenario that has just failed.
func (k *kubelet) failed(s lab.Scenario, err error) {
	switch {
	case s.KubeletOnly:
		k.invalidName(s)
	case s.Sandbox:
		k.sandboxFailed(s, err)
	default:
		k.pullFailed(s, err)
	}
}

func (k *kubelet) pullFailed(s lab.Scenario, err error) {
	k.say(pullImage, "", err, "PullImage from image service failed", "image", s.Image)
	err = strip(err)
	if s.Login == nil {
		k.say(pullWithoutLogin, "", err, "Failed to pull image", "image", s.Image)
	}
	k.startFailed(s, "ErrImagePull", err.Error())
	k.syncFailed(s, "StartContainer", container, "ErrImagePull", err.Error())
}

// invalidName: the kubelet parses the name itself and never asks the runtime.
func (k *kubelet) invalidName(s lab.Scenario) {
	repository, _, _ := strings.Cut(s.Image, ":")
	_, path, _ := strings.Cut(repository, "/")
	msg := fmt.Sprintf("Failed to apply default image tag %q: couldn't parse image name %q: invalid reference format: repository name (%s) must be lowercase",
		s.Image, s.Image, path)
	k.startFailed(s, "InvalidImageName", msg)
	k.syncFailed(s, "StartContainer", container, "InvalidImageName", msg)
}

func (k *kubelet) sandboxFailed(s lab.Scenario, err error) {
	pod := s.Pod()
	ref := klog.KRef(pod.Namespace, pod.Name)
	k.say(runPodSandbox, "", err, "RunPodSandbox from runtime service failed")
	k.say(createSandbox, "", err, "Failed to create sandbox for pod", "pod", ref)
	k.say(createForPod, "", err, "CreatePodSandbox for pod failed", "pod", ref)
	k.syncFailed(s, "CreatePodSandbox", describe(pod), "CreatePodSandboxError",
		fmt.Sprintf("Failed to create sandbox for pod %q: %v", describe(pod), err))
}

func (k *kubelet) startFailed(s lab.Scenario, reason, msg string) {
	k.say(startContainer, "UnhandledError",
		fmt.Errorf("container %s start failed in pod %s: %s: %s", container, describe(s.Pod()), reason, msg), "Unhandled Error")
}

func (k *kubelet) syncFailed(s lab.Scenario, action, target, reason, msg string) {
	pod := s.Pod()
	k.say(syncPod, "", fmt.Errorf("failed to %q for %q with %s: %q", action, target, reason, msg),
		"Error syncing pod, skipping", "pod", klog.KRef(pod.Namespace, pod.Name), "podUID", pod.UID)
}

// backOff is what the kubelet writes when it looks at the pod again and does
// not pull yet. Only pulls have a back-off of their own.
func (k *kubelet) backOff(s lab.Scenario, err error) {
	k.syncFailed(s, "StartContainer", container, "ImagePullBackOff",
		fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %v", s.Image, strip(err)))
}

// strip takes the CRI status off an error where it says nothing.
func strip(err error) error {
	if s, ok := status.FromError(err); ok && s.Code() == codes.Unknown {
		return errors.New(s.Message())
	}
	return err
}

func describe(p lab.Pod) string { return fmt.Sprintf("%s_%s(%s)", p.Name, p.Namespace, p.UID) }
