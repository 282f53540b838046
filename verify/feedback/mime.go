package feedback

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"strings"
)

// Bounds of the search for the status part.
const (
	maxDepth = 4  // Multiparts within one another.
	maxParts = 64 // Parts of one multipart.
)

// findStatus returns the decoded content of the first message/delivery-status in a body. It looks into every multipart,
// for some servers wrap their notifications into another one.
func findStatus(contentType, encoding string, body io.Reader) ([]byte, error) {
	return search(contentType, encoding, body, 0)
}

func search(contentType, encoding string, body io.Reader, depth int) ([]byte, error) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return nil, fmt.Errorf("%w: content type: %w", ErrNotDSN, err)
	}
	switch {
	case media == "message/delivery-status", media == "message/global-delivery-status": // RFC 6533 §4.
		return readAll(decoded(encoding, body))
	case !strings.HasPrefix(media, "multipart/"), depth == maxDepth:
		return nil, fmt.Errorf("%w: it has no message/delivery-status", ErrNotDSN)
	case params["boundary"] == "":
		return nil, fmt.Errorf("%w: a multipart without a boundary", ErrNotDSN)
	}
	parts := multipart.NewReader(body, params["boundary"])
	for range maxParts {
		part, err := parts.NextRawPart()
		if err != nil {
			return nil, fmt.Errorf("%w: it has no message/delivery-status: %w", ErrNotDSN, err)
		}
		status, err := search(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part, depth+1)
		if err == nil || errors.Is(err, ErrTooLarge) {
			return status, err
		}
	}
	return nil, fmt.Errorf("%w: more than %d parts", ErrTooLarge, maxParts)
}

// readAll reads a status part. One that breaks off is read as far as it goes.
func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxStatus+1))
	if len(b) > maxStatus {
		return nil, fmt.Errorf("%w: a status of more than %d bytes", ErrTooLarge, maxStatus)
	}
	if err != nil && len(b) == 0 {
		return nil, err
	}
	return b, nil
}

// decoded undoes a content transfer encoding, RFC 2045 §6. RFC 3464 allows 7bit only; not all keep to it.
func decoded(encoding string, r io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		return quotedprintable.NewReader(r)
	default:
		return r
	}
}
