package attempt

import (
	"slices"

	"pullcause/agent/detect"
)

// maxVolumes bounds the notes on image volumes that wait for their line.
const maxVolumes = 64

// isVolumeNote reports whether a line says only that some image volume of a pod
// cannot be had: "Failed to ensure image" err="ErrImagePull" pod="shop/web-0". The
// line on the pod, which comes next, names the image, and a container that has
// nothing to do with it (kubelet v1.34.4 and v1.37.2).
func isVolumeNote(s detect.Signal) bool {
	return s.ContainerKind == detect.KindImageVolume && s.Container == "" && signalImage(s) == "" && hasPod(s)
}

func (j *Joiner) noteVolume(s detect.Signal) {
	j.volumes = slices.DeleteFunc(j.volumes, func(v detect.Signal) bool { return !near(v.Time, s.Time) })
	if len(j.volumes) == maxVolumes {
		j.volumes = slices.Delete(j.volumes, 0, 1)
	}
	j.volumes = append(j.volumes, s)
}

// takeVolume makes the image that a line on a pod names that of a volume, if a note
// on the pod came just before and no line said that a container of it did not start.
func (j *Joiner) takeVolume(p *pull, s *detect.Signal) {
	if len(p.a.Pods) > 0 || !hasPod(*s) {
		return
	}
	i := slices.IndexFunc(j.volumes, func(v detect.Signal) bool {
		return samePod(Pod{Pod: v.Pod}, detect.Signal{Pod: s.Pod}) && near(v.Time, s.Time)
	})
	if i < 0 || s.ContainerKind != "" {
		return
	}
	s.ContainerKind = detect.KindImageVolume
	p.add(j.volumes[i])
	j.volumes = slices.Delete(j.volumes, i, i+1)
}
