package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/client"
)

func newCacheExportCmd(io stdio, socket *string) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write what is remembered of domains as NDJSON, for another host",
		Long: `Write what is remembered of domains, one record a line, to standard output or a file. Mailboxes stay behind.
A file appears under its name once it is whole.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(*socket, func(c *client.Client) error { return export(cmd.Context(), io, c, file) })
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "write to this file")
	return cmd
}

func export(ctx context.Context, std stdio, c *client.Client, file string) error {
	if file == "" || file == "-" {
		_, err := c.ExportCache(ctx, std.out)
		return err
	}
	var lines lineCounter
	err := writeAtomically(file, func(w io.Writer) error {
		_, err := c.ExportCache(ctx, io.MultiWriter(w, &lines))
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(std.err, "%d records exported to %s\n", max(lines-1, 0), file) // The first is the header.
	return nil
}

// A lineCounter counts the line ends that are written to it.
type lineCounter int

func (n *lineCounter) Write(p []byte) (int, error) {
	*n += lineCounter(bytes.Count(p, []byte("\n")))
	return len(p), nil
}

// writeAtomically makes a file that others see whole or not at all, readable by its owner.
func writeAtomically(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	w := bufio.NewWriter(f)
	if err := errors.Join(write(w), w.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func newCacheImportCmd(io stdio, socket *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "import [FILE]",
		Short: "Take over what another host exported",
		Long: `Take over what "verimaild cache export" wrote, from a file or standard input. What is remembered already and is newer
stays. The first line that makes no sense ends the import and is named; what stood before it is imported.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("%d files given; one at a time", len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(*socket, func(c *client.Client) error { return importCache(cmd.Context(), io, c, args, asJSON) })
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func importCache(ctx context.Context, std stdio, c *client.Client, args []string, asJSON bool) error {
	from := std.in
	if len(args) == 1 && args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // Only read.
		from = f
	}
	res, err := c.ImportCache(ctx, from)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(std, res)
	}
	fmt.Fprintf(std.out, "%d records read", res.Records)
	if res.Expired > 0 {
		fmt.Fprintf(std.out, ", of which %d were left out because they are too old", res.Expired)
	}
	fmt.Fprintln(std.out)
	return nil
}

// printJSON prints v on one line.
func printJSON(std stdio, v any) error {
	enc := json.NewEncoder(std.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
