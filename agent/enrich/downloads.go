package enrich

import (
	"context"
	"slices"

	"pullcause/cri"
)

// Bounds of one look at the content store, for all pulls together. What is beyond them
// waits for the next look.
const (
	maxManifestReads = 64
	// maxManifestText bounds the manifests that are held, in bytes of their layers.
	maxManifestText = 2 << 20
)

// assign finds out which download belongs to which pull: by the manifests that the
// runtime has stored before it asks for layers. What is left over belongs to the only
// pull without a manifest, if there is only one.
func (p *progress) assign(ctx context.Context, client *cri.Client, ingests []cri.Ingest) {
	downloads := make(map[string]cri.Ingest, len(ingests))
	for _, i := range ingests {
		downloads[i.Digest] = i
	}
	reads := maxManifestReads
	if p.searchStore(ctx, client, downloads, &reads) {
		p.searchStore(ctx, client, downloads, &reads) // layers of manifests that have just been found
	}
	p.handOut(downloads)
}

// searchStore looks for the manifests of pulls and for their layers, with one call, and
// reads at most so many manifests. It reports whether pulls got a manifest by it.
func (p *progress) searchStore(ctx context.Context, client *cri.Client, downloads map[string]cri.Ingest, reads *int) (found bool) {
	stored, err := client.Stored(ctx, p.search(downloads))
	if err != nil {
		return false // the next look tells
	}
	p.e.cuts.note("blobs", stored.Cut)
	for _, one := range p.pulls {
		one.markDone(stored.Blobs)
	}
	if len(stored.Manifests) == 0 {
		return false
	}
	p.readManifests(ctx, client, stored, reads)
	return p.chooseManifests(stored, downloads)
}

// search is what the store is to be searched for: manifests of pulls that have none, and
// layers that are neither done nor on their way. Layers that were on their way at the
// last look come first, since they are likely to be done.
func (p *progress) search(downloads map[string]cri.Ingest) (s cri.Search) {
	var others []string
	for _, one := range p.pulls {
		if one.manifest == nil {
			s.Manifests = append(s.Manifests, cri.Repository{Registry: one.Registry, Name: one.Repository})
			continue
		}
		for _, layer := range one.manifest.Layers {
			if _, ok := downloads[layer.Digest]; ok || one.done[layer.Digest] {
				continue
			}
			if _, ok := one.ingests[layer.Digest]; ok {
				s.Blobs = append(s.Blobs, layer.Digest)
			} else {
				others = append(others, layer.Digest)
			}
		}
	}
	if n := len(others); n > 0 {
		start := p.turn * cri.MaxSearchedBlobs % n
		s.Blobs = append(append(s.Blobs, others[start:]...), others[:start]...)
		p.turn++
	}
	return s
}

// markDone notes which layers of the pull are in the store.
func (p *pull) markDone(stored map[string]bool) {
	if p.manifest == nil {
		return
	}
	for _, layer := range p.manifest.Layers {
		if !stored[layer.Digest] {
			continue
		}
		if p.done == nil {
			p.done = make(map[string]bool)
		}
		p.done[layer.Digest] = true
	}
}

// readManifests reads those of the found manifests that are not known yet, the newest of
// each repository first, and forgets those that nobody needs any more.
func (p *progress) readManifests(ctx context.Context, client *cri.Client, stored cri.Stored, reads *int) {
	held := p.forgetManifests(stored)
	for _, one := range p.pulls {
		if one.manifest != nil {
			continue
		}
		for _, m := range stored.Manifests[cri.Repository{Registry: one.Registry, Name: one.Repository}] {
			if p.manifests[m.Digest] != nil {
				continue
			}
			if *reads == 0 || held > maxManifestText {
				return
			}
			*reads--
			manifest, ok, err := client.ReadManifest(ctx, m)
			if err != nil {
				return // the next look tells
			}
			if ok {
				p.manifests[m.Digest] = &manifest
				held += sizeOf(&manifest)
			}
		}
	}
}

// forgetManifests returns the size of those that stay.
func (p *progress) forgetManifests(stored cri.Stored) (held int) {
	needed := p.used()
	for _, found := range stored.Manifests {
		for _, m := range found {
			needed[m.Digest] = true
		}
	}
	for digest, m := range p.manifests {
		if !needed[digest] {
			delete(p.manifests, digest)
			continue
		}
		held += sizeOf(m)
	}
	return held
}

// used are the manifests of pulls, by their digests.
func (p *progress) used() map[string]bool {
	used := make(map[string]bool)
	for _, one := range p.pulls {
		if one.manifest != nil {
			used[one.manifest.Digest] = true
		}
	}
	return used
}

// sizeOf is what a manifest takes in memory, roughly.
func sizeOf(m *cri.Manifest) (n int) {
	const manifest, blob = 200, 32 // without their texts
	for _, l := range m.Layers {
		n += blob + len(l.Digest)
	}
	return manifest + n
}

// chooseManifests gives each pull without a manifest one of its repository that is no
// other pull's: one with a layer on its way, else the newest, if it came after the pull
// had begun. It reports whether some pull got one.
func (p *progress) chooseManifests(stored cri.Stored, downloads map[string]cri.Ingest) (found bool) {
	used := p.used()
	onItsWay := func(l cri.Blob) bool { _, ok := downloads[l.Digest]; return ok }
	for _, one := range p.pulls {
		if one.manifest != nil {
			continue
		}
		var newest *cri.Manifest
		for _, m := range stored.Manifests[cri.Repository{Registry: one.Registry, Name: one.Repository}] {
			manifest := p.manifests[m.Digest]
			if manifest == nil || used[m.Digest] {
				continue
			}
			if slices.ContainsFunc(manifest.Layers, onItsWay) {
				newest = manifest
				break
			}
			if newest == nil && !m.Created.Before(one.Start) {
				newest = manifest
			}
		}
		if newest != nil {
			one.manifest = newest
			used[newest.Digest] = true
			found = true
		}
	}
	return found
}

// handOut gives each pull what is on its way of its layers.
func (p *progress) handOut(downloads map[string]cri.Ingest) {
	claimed := make(map[string]bool)
	var unknown []*pull
	for _, one := range p.pulls {
		one.ingests = nil
		if one.manifest == nil {
			unknown = append(unknown, one)
			continue
		}
		for _, layer := range one.manifest.Layers {
			if i, ok := downloads[layer.Digest]; ok {
				one.addIngest(i)
				claimed[layer.Digest] = true
			}
		}
	}
	if len(unknown) != 1 {
		return
	}
	for digest, i := range downloads {
		// An earlier pull that failed may have left something behind.
		if !claimed[digest] && !i.Updated.Before(unknown[0].Start) {
			unknown[0].addIngest(i)
		}
	}
}

func (p *pull) addIngest(i cri.Ingest) {
	if p.ingests == nil {
		p.ingests = make(map[string]cri.Ingest)
	}
	p.ingests[i.Digest] = i
}
