// Command image makes what is published of the agent: see package image.
//
//	image build [--push HOST/NAME:TAG]   the image, as an OCI layout and in a registry
//	image release [--snapshot]           the files of a release
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"pullcause/test/image"
)

type cli struct {
	Source   string `default:"../.." type:"existingdir" help:"The repository."`
	Bin      string `default:"../../bin" type:"path" help:"Folder for the programs and their SBOMs."`
	Name     string `default:"${name}" help:"Repository that the image is called after, where it is imported from a file."`
	Version  string `help:"Default: what git describe says."`
	Revision string `help:"Default: the commit that is checked out."`
	Epoch    string `env:"SOURCE_DATE_EPOCH" help:"Time of all that is made, in seconds since 1970. Default: that of the commit."`
	URL      string `help:"Where the source is published, for the label org.opencontainers.image.source."`

	Build   buildCmd   `cmd:"" help:"Make the image for all platforms, and the SBOM of each."`
	Release releaseCmd `cmd:"" help:"Make the files of a release."`
}

type buildCmd struct {
	Out  string `default:"../../bin/image" type:"path" help:"Folder for the image, as an OCI layout; beside it the same as one file, .tar."`
	Push string `placeholder:"HOST/NAME:TAG" help:"Send it to a registry too, as who docker login made you; over plain HTTP on this machine only."`
}

type releaseCmd struct {
	Out      string `default:"../../bin/release" type:"path" help:"Folder for the files."`
	Snapshot bool   `help:"Of any commit, not only that of a tag."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var c cli
	parser, err := kong.New(&c, kong.Name("image"), kong.Vars{"name": image.DefaultName})
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if err != nil {
		return fmt.Errorf("%w; image --help lists what there is", err)
	}
	given := image.Commit{Version: c.Version, Revision: c.Revision, URL: c.URL}
	if c.Epoch != "" {
		if given.Time, err = image.ParseEpoch(c.Epoch); err != nil {
			return err
		}
	}
	commit, err := image.ReadCommit(ctx, c.Source, given)
	if err != nil {
		return err
	}
	if command.Command() == "release" { // before minutes of building
		if _, err := image.CheckRelease(c.Source, commit.Version, c.Release.Snapshot); err != nil {
			return err
		}
	}
	built, err := image.Build(ctx, c.Source, c.Bin, commit)
	if err != nil {
		return err
	}
	if err := describe(out, built); err != nil {
		return err
	}
	if command.Command() == "release" {
		return release(out, built, &c)
	}
	return build(ctx, out, built, &c)
}

func build(ctx context.Context, out io.Writer, built *image.Built, c *cli) error {
	if err := built.WriteLayout(c.Build.Out, c.Name); err != nil {
		return err
	}
	if err := built.WriteTar(c.Build.Out, c.Build.Out+".tar"); err != nil {
		return err
	}
	fmt.Fprintf(out, "written to %s and %s.tar\n", c.Build.Out, c.Build.Out)
	if c.Build.Push == "" {
		return nil
	}
	if err := built.Push(ctx, c.Build.Push); err != nil {
		return err
	}
	fmt.Fprintf(out, "pushed to %s\n", c.Build.Push)
	return nil
}

func release(out io.Writer, built *image.Built, c *cli) error {
	if err := built.Release(c.Source, c.Release.Out, c.Name, c.Release.Snapshot); err != nil {
		return err
	}
	files, err := os.ReadDir(c.Release.Out)
	if err != nil {
		return fmt.Errorf("list the release: %w", err)
	}
	for _, f := range files {
		fmt.Fprintln(out, filepath.Join(c.Release.Out, f.Name()))
	}
	return nil
}

// describe prints digests and sizes.
func describe(out io.Writer, built *image.Built) error {
	digest, err := built.Index.Digest()
	if err != nil {
		return fmt.Errorf("digest of the index: %w", err)
	}
	c := built.Commit
	fmt.Fprintf(out, "pullcause %s, commit %s of %s\n", c.Version, c.Revision, c.Time.Format(time.RFC3339))
	fmt.Fprintf(out, "%-15s %s\n", "index", digest)
	for _, p := range built.Each {
		digest, digestErr := p.Image.Digest()
		plain, compressed, sizeErr := image.Size(p.Image)
		if err := cmp.Or(digestErr, sizeErr); err != nil {
			return fmt.Errorf("describe the image for %s: %w", p.Platform, err)
		}
		fmt.Fprintf(out, "%-15s %s  %.1f MB, compressed %.1f MB\n", p.Platform, digest, float64(plain)/1e6, float64(compressed)/1e6)
	}
	return nil
}
