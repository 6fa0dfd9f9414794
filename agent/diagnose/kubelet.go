package diagnose

import "pullcause/agent/detect"

// The causes that the kubelet owns.

func backOff(e evidence) verdict {
	if e.Failure != nil || e.Stalled || !e.BackOff && e.Reason != "ImagePullBackOff" {
		return verdict{}
	}
	return verdict{
		cause: BackOff, confidence: Likely,
		remedy: "The cause was told before this log begins. It shows at the next attempt, within 5 minutes; or look at: kubectl describe pod.",
	}
}

func neverPull(e evidence) verdict {
	if e.Reason != "ErrImageNeverPull" && !e.found(detect.NeverPull) {
		return verdict{}
	}
	return verdict{
		cause:  NeverPull,
		remedy: "imagePullPolicy is Never and the image is not on this node. Set it to IfNotPresent, or load the image here: ctr -n k8s.io images import FILE.",
	}
}

func qpsExceeded(e evidence) verdict {
	if !e.found(detect.PullQPSExceeded) {
		return verdict{}
	}
	return verdict{
		cause:  PullQPSExceeded,
		remedy: "The kubelet's own limit, not the registry's: raise registryPullQPS and registryBurst in the KubeletConfiguration (defaults 5 and 10), or start fewer pods at once.",
	}
}

func canceled(e evidence) verdict {
	if !e.found(detect.Canceled) && e.f.GRPCCode != "Canceled" {
		return verdict{}
	}
	return verdict{
		cause: Canceled, confidence: Likely,
		remedy: "Somebody ended this pull: the pod was deleted, the kubelet or the runtime restarted, or no progress was made. Look at the lines before it.",
	}
}

// endedWhileUnpacking is for pulls that were ended while their layers were extracted,
// where nothing is wrong with the snapshotter.
func endedWhileUnpacking(e evidence) verdict {
	if e.f.Step != detect.StepUnpack || e.found(detect.LocalStorage, detect.ContentMissing, detect.PermissionDenied) {
		return verdict{}
	}
	if e.found(detect.DeadlineExceeded) {
		return verdict{
			cause: Canceled, confidence: Likely,
			remedy: "The time that this pull was given ended while layers were unpacked. It goes on at the next attempt; if it ends so again, look at the load of the node's disk: iostat -x 1.",
		}
	}
	return canceled(e)
}
