package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/daemon/bulk/table"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/verdict"
)

// Create makes a job of a list. It returns once the list is on disk whole and understood, and the job in the store: from
// then on the job survives whatever happens. On error there is no job, and nothing is left of it.
//
// Errors are those of table.Inspect about the list, those of list itself, ErrNoRoom, ErrTooMany and ErrStopping.
func (js *Jobs) Create(ctx context.Context, spec Spec, list io.Reader) (Info, error) {
	rec := record{Spec: spec, State: Preparing}
	return js.create(ctx, rec, func(rec *record, dir string) error {
		in := &spool{r: list, room: js.room}
		return in.save(rec, filepath.Join(dir, inputName))
	})
}

// create makes a job of what fill puts into its directory.
func (js *Jobs) create(ctx context.Context, rec record, fill func(rec *record, dir string) error) (_ Info, err error) {
	if err := js.open(); err != nil {
		return Info{}, err
	}
	if rec.Spec.App == "" {
		rec.Spec.App = "default"
	}
	rec.Created = js.now()
	rec.ID = newID(rec.Created)
	dir := filepath.Join(js.dir, rec.ID)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return Info{}, fmt.Errorf("directory of a job: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err := fill(&rec, dir); err != nil {
		return Info{}, err
	}
	if err := errors.Join(syncDir(dir), syncDir(js.dir)); err != nil {
		return Info{}, fmt.Errorf("keep the list: %w", err)
	}
	return js.accept(ctx, rec)
}

// open says why no job is taken; nil if one is.
func (js *Jobs) open() error {
	if js.draining() {
		return ErrStopping
	}
	js.mu.Lock()
	n := len(js.jobs)
	js.mu.Unlock()
	if n >= maxJobs {
		return fmt.Errorf("%w: there are %d; delete some", ErrTooMany, n)
	}
	return js.room()
}

// accept writes the record of a job whose directory is on disk, and starts it.
func (js *Jobs) accept(ctx context.Context, rec record) (Info, error) {
	var b store.Batch
	js.records.jobs.PutIn(&b, []byte(rec.ID), rec, 0)
	js.records.counts.PutIn(&b, []byte(rec.ID), Counts{}, 0)
	// Detached: once this is under way, the job may be there.
	if err := js.records.store.Commit(context.WithoutCancel(ctx), &b); err != nil {
		return Info{}, fmt.Errorf("write job %s: %w", rec.ID, err)
	}
	j := newJob(js, rec)
	js.mu.Lock()
	defer js.mu.Unlock()
	js.jobs[j.id] = j
	if js.started {
		j.startLocked()
	}
	js.log.Info("job accepted", zap.String("job", j.id), zap.String("app", j.spec.App), zap.Int64("bytes", rec.Bytes),
		zap.Stringer("list", rec.Layout))
	return j.info(), nil
}

// A spool saves a list while it is looked at, and stops before the disk is full.
type spool struct {
	r     io.Reader
	room  func() error
	bytes int64
	err   error // Of r or the disk, which table might wrap in words of its own.
}

// roomEvery is how many bytes are written before the disk's room is looked at again.
const roomEvery = 64 << 20

func (s *spool) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if before := s.bytes; (before+int64(n))/roomEvery > before/roomEvery && err == nil {
		err = s.room()
	}
	s.bytes += int64(n)
	if err != nil && err != io.EOF { //nolint:errorlint // Only the bare one is an end.
		s.err = err
	}
	return n, err
}

// save writes the list to path by way of another name, synced, and finds out its layout.
func (s *spool) save(rec *record, path string) error {
	f, err := os.OpenFile(path+".part", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // G304: in the job's own directory.
	if err != nil {
		return fmt.Errorf("keep the list: %w", err)
	}
	rec.Layout, err = table.Inspect(io.TeeReader(s, f), rec.Spec.List)
	if err == nil {
		_, err = io.Copy(f, s) // What stands behind a gzip stream's end.
	}
	if s.err != nil {
		err = errors.Join(s.err, err)
	}
	rec.Bytes = s.bytes
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// Rerun makes a job of those rows of another that have one of some verdicts; with none, of those that are unknown. The
// other job may still run: rows count that have their outcome.
func (js *Jobs) Rerun(ctx context.Context, app, id string, of []verdict.Verdict) (Info, error) {
	j, err := js.find(app, id)
	if err != nil {
		return Info{}, err
	}
	if len(of) == 0 {
		of = []verdict.Verdict{verdict.Unknown}
	}
	rec := record{
		Spec: *j.spec, State: Preparing, Layout: j.layout, Parent: j.id, Of: of,
	}
	j.mu.Lock()
	rec.Bytes = j.rec.Bytes
	j.mu.Unlock()
	return js.create(ctx, rec, func(_ *record, dir string) error {
		rows, err := j.rowsWith(of)
		if err != nil {
			return err
		}
		if err := rows.save(filepath.Join(dir, subsetName)); err != nil {
			return err
		}
		return os.Link(j.path(inputName), filepath.Join(dir, inputName))
	})
}
