package reply

import (
	"fmt"
	"strings"

	"github.com/verimails/verimaild/pool/provider"
)

// ProviderOf returns the id of the provider that is named, or else of the one that the mail hosts in mx show, which are
// separated by commas or spaces. It is "" if they show none. The error says that no provider has the name.
func ProviderOf(id, mx string) (string, error) {
	if id != "" {
		if provider.ByID(id) == nil {
			return "", fmt.Errorf("%q: there is no such provider", id)
		}
		return id, nil
	}
	hosts := strings.FieldsFunc(mx, func(r rune) bool { return r == ',' || r == ' ' })
	if p, _ := provider.Match(hosts); p != nil {
		return p.ID, nil
	}
	return "", nil
}
