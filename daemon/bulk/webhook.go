package bulk

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/verify/verdict"
)

// A Delivery is how far a webhook has been told of a job's end.
type Delivery struct {
	Tries     int       `json:"tries"`
	Next      time.Time `json:"next,omitzero"`      // When it is tried (again).
	Delivered time.Time `json:"delivered,omitzero"` // When it was told; zero if it was not.
	Problem   string    `json:"problem,omitempty"`  // Of the last try.
}

// due reports whether the webhook is still to be told. It may be called on nil.
func (d *Delivery) due() bool { return d != nil && d.Delivered.IsZero() && !d.Next.IsZero() }

const (
	webhookTimeout = 15 * time.Second
	webhookTries   = 10
	webhookFirst   = 10 * time.Second // Before the second try; each wait is three times the one before,
	webhookLongest = 6 * time.Hour    // up to this.
)

// A Notice is what a webhook is told, as JSON.
type Notice struct {
	Event    string           `json:"event"` // "job.finished", "job.failed" or "job.cancelled".
	Job      string           `json:"job"`
	Name     string           `json:"name"`
	State    State            `json:"state"`
	Rows     int64            `json:"rows"`
	Verdicts map[string]int64 `json:"verdicts"`
	Created  time.Time        `json:"created_at"`
	Ended    time.Time        `json:"ended_at"`
}

// Headers of a notice.
const (
	headerTimestamp = "X-Verimaild-Timestamp" // Unix time of this try.
	headerSignature = "X-Verimaild-Signature" // "sha256=" and the HMAC of timestamp, "." and body, in hex.
)

// CheckWebhook says what is wrong with a webhook's URL.
func CheckWebhook(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("is not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must begin with https:// or http://")
	case u.Host == "" || u.Hostname() == "":
		return errors.New("has no host")
	case u.User != nil:
		return errors.New("must not hold a password; the notice is signed instead")
	}
	return nil
}

// delivery is what a job's end begins; nil without a webhook.
func (j *job) delivery() *Delivery {
	if j.spec.Webhook == "" {
		return nil
	}
	return &Delivery{Next: j.jobs.now()}
}

// deliver tells the webhook, once its time has come.
func (j *job) deliver(ctx context.Context, log *zap.Logger) {
	j.mu.Lock()
	d := *j.rec.Delivery
	j.mu.Unlock()
	if wait := d.Next.Sub(j.jobs.now()); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-j.poked: // Deleted, or the daemon stops.
			return
		}
	}
	err := j.notice(j.jobs.sending)
	if j.jobs.draining() {
		return // Whether it was told is not known: it is told again.
	}
	now := j.jobs.now()
	d.Tries++
	d.Problem = ""
	switch {
	case err == nil:
		d.Delivered, d.Next = now, time.Time{}
	case d.Tries >= webhookTries:
		d.Problem, d.Next = clip(err.Error()), time.Time{}
		log.Warn("webhook given up", zap.Error(err), zap.Int("tries", d.Tries))
	default:
		d.Problem, d.Next = clip(err.Error()), now.Add(backoff(d.Tries))
		log.Info("webhook not told; trying again", zap.Error(err), zap.Time("next", d.Next))
	}
	if err := j.update(ctx, func(rec *record) error { rec.Delivery = &d; return nil }); err != nil {
		log.Error("what became of a webhook could not be written", zap.Error(err))
		j.mu.Lock()
		defer j.mu.Unlock()
		j.rec.Delivery = &d
	}
}

// backoff is how long to wait after so many tries.
func backoff(tries int) time.Duration {
	d := webhookFirst
	for range tries - 1 {
		if d = 3 * d; d > webhookLongest {
			return webhookLongest
		}
	}
	return d
}

// notice sends the webhook one notice. Redirects are not followed, and each address that is dialled has passed the guard.
func (j *job) notice(ctx context.Context) error {
	body, err := json.Marshal(j.describe())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, j.spec.Webhook, bytes.NewReader(body))
	if err != nil {
		return err
	}
	stamp := strconv.FormatInt(j.jobs.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "verimaild")
	req.Header.Set(headerTimestamp, stamp)
	if j.spec.Secret != "" {
		req.Header.Set(headerSignature, sign(j.spec.Secret, stamp, body))
	}
	client := j.jobs.webhookClient()
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return webhookError(err)
	}
	defer func() { _ = resp.Body.Close() }() // Whatever it says.
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook replied %d", resp.StatusCode)
	}
	return nil
}

// webhookError leaves out the URL, which may hold a token.
func webhookError(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		return ue.Err
	}
	return err
}

// describe is what the webhook is told.
func (j *job) describe() Notice {
	i := j.info()
	n := Notice{
		Event: "job." + string(i.State), Job: i.ID, Name: i.Name, State: i.State, Rows: i.Rows, Verdicts: map[string]int64{},
		Created: i.Created, Ended: i.Ended,
	}
	t := i.Counts.Verdicts()
	for _, v := range verdict.Verdicts() {
		n.Verdicts[string(v)] = t.Of(v)
	}
	return n
}

// sign is the signature of a notice.
func sign(secret, stamp string, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(stamp))
	h.Write([]byte("."))
	h.Write(body)
	return "sha256=" + hex.EncodeToString(h.Sum(nil))
}

// webhookClient dials what the guard lets through, and nothing else.
func (js *Jobs) webhookClient() *http.Client {
	d := net.Dialer{Timeout: webhookTimeout, Control: js.guard.Control}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: d.DialContext, DisableKeepAlives: true, ResponseHeaderTimeout: webhookTimeout, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
