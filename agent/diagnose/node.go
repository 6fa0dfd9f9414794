package diagnose

import (
	"strings"

	"pullcause/agent/detect"
)

// The causes that the node owns.

func runtimeUnavailable(e evidence) verdict {
	if !e.found(detect.RuntimeGone, detect.SocketGone) {
		return verdict{}
	}
	return verdict{
		cause:  RuntimeUnavailable,
		remedy: "The container runtime does not answer on its socket. Look at it: systemctl status containerd (or crio, docker), journalctl -u containerd.",
	}
}

func diskFull(e evidence) verdict {
	if !e.found(detect.NoInodes, detect.NoSpace, detect.Quota) {
		return verdict{}
	}
	v, root := verdict{cause: DiskFull}, e.words().root
	switch {
	case e.found(detect.NoInodes):
		// ENOSPC of open and mkdir also stands for a folder that needs one more block.
		v.detail, v.confidence = detailInodes, Likely
		v.remedy = "The node can make no more files for images: no inodes are left (df -i " + root + "), or no space (df -h " + root + "). Remove unused images with crictl rmi --prune."
	case e.found(detect.NoSpace):
		v.detail = detailSpace
		v.remedy = "The node's image filesystem is full: df -h " + root + " (and df -i). Remove unused images with crictl rmi --prune; lower imageGCHighThresholdPercent in the KubeletConfiguration, or enlarge the disk."
	default:
		v.detail = detailQuota
		v.remedy = "A disk quota on the node's image filesystem is used up: raise it, or remove unused images with crictl rmi --prune."
	}
	return v
}

func unpackFailed(e evidence) verdict {
	v := verdict{cause: UnpackFailed}
	switch {
	case e.found(detect.WrongDiffID):
		v.detail = detailDiffID
		v.remedy = "The layers do not hold what the image's config says: the image was put together wrongly. Build and push it again."
	case e.found(detect.Locked):
		v.detail = detailLocked
		v.remedy = "Another pull holds the same layer. It ends by itself; if not, restart the runtime: systemctl restart " + e.words().unit + "."
	case e.found(detect.SnapshotterGone):
		v.detail = detailSnapshotter
		v.remedy = snapshotterGone(e)
	case e.found(detect.NoUnpackTarget):
		v.detail = detailSnapshotter
		v.remedy = `containerd is not configured to unpack for this snapshotter and platform. Add [[plugins."io.containerd.transfer.v1.local".unpack_config]] with platform and snapshotter to /etc/containerd/config.toml and restart it: systemctl restart containerd.`
	case e.f.Step != detect.StepUnpack && !e.found(detect.LocalStorage, detect.ContentMissing):
		return verdict{}
	case e.found(detect.PermissionDenied):
		v.detail = detailPermission
		v.remedy = "The runtime may not write what a layer holds (owner, device or attribute). Check SELinux/AppArmor and, for rootless runtimes, the ranges in /etc/subuid; ids in the image may lie beyond them."
	default:
		v.detail = detailSnapshotter
		v.remedy = "The snapshotter cannot store the layers. Check its filesystem and kernel support: " + e.words().storage + "; a broken snapshot is removed with crictl rmi of the image."
		if e.f.Step != detect.StepUnpack {
			v.confidence = Likely
		}
	}
	return v
}

// remoteSnapshotters are the services of snapshotters that are processes of their own,
// by a word in the path of their socket.
var remoteSnapshotters = [...]struct{ word, unit string }{
	{"nydus", "nydus-snapshotter"},                  // containerd/nydus-snapshotter misc/snapshotter
	{"soci", "soci-snapshotter"},                    // awslabs/soci-snapshotter soci-snapshotter.service
	{"stargz", "stargz-snapshotter"},                // containerd/stargz-snapshotter script/config/etc/systemd
	{"gcfs", "gcfs-snapshotter"},                    // GKE's image streaming
	{"overlaybd", "overlaybd-snapshotter"},          // containerd/accelerated-container-image script
	{"fuse-overlayfs", "containerd-fuse-overlayfs"}, // kubernetes-sigs/kind images/base/files/etc/systemd
}

// snapshotterGone is what to do where such a process does not answer.
func snapshotterGone(e evidence) string {
	socket, unit := "of its address in proxy_plugins", "SNAPSHOTTER"
	if e.f.Socket != "" {
		socket = quotedIfNeeded(e.f.Socket)
	}
	for _, s := range remoteSnapshotters {
		if strings.Contains(e.f.Socket, s.word) {
			unit = s.unit
			break
		}
	}
	return "A snapshotter that is a process of its own does not answer on the socket " + socket + ". Look at it: systemctl status " + unit + ", journalctl -u " + unit + "; proxy_plugins in /etc/containerd/config.toml names it."
}
