package daemon

import (
	"testing"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/pool/provider"
)

func TestSiteModes(t *testing.T) {
	if modes, err := siteModes([]config.SiteRule{{Match: config.SiteMatch{Provider: "google"}}}); modes != nil || err != nil {
		t.Errorf("siteModes() of rules without a mode = %v, want nothing", err)
	}
	modes, err := siteModes([]config.SiteRule{
		{Match: config.SiteMatch{Domain: "bücher.example"}},
		{Match: config.SiteMatch{Provider: "microsoft_consumer"}, Mode: config.ModeProbe},
		{Match: config.SiteMatch{MX: "*.example.net"}, Mode: config.ModeSkip},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, domain string
		hosts        []string
		mode         provider.Mode
		ok           bool
	}{
		{"the first rule that matches has no mode", "xn--bcher-kva.example", []string{"mx.example.net"}, "", false},
		{"a provider", "outlook.com", []string{"outlook-com.olc.protection.outlook.com"}, provider.ModeProbe, true},
		{"mail hosts", "example.org", []string{"mx1.example.net", "mx2.example.net"}, provider.ModeSkip, true},
		{"some of the mail hosts", "example.org", []string{"mx1.example.net", "mx2.example.com"}, "", false},
		{"nothing", "example.org", []string{"mx.example.org"}, "", false},
	} {
		if mode, ok := modes(test.domain, test.hosts); mode != test.mode || ok != test.ok {
			t.Errorf("%s: mode = %q, %v, want %q, %v", test.name, mode, ok, test.mode, test.ok)
		}
	}
	if _, err := siteModes([]config.SiteRule{{Match: config.SiteMatch{Domain: "no domain"}, Mode: config.ModeSkip}}); err == nil {
		t.Error("siteModes() of a domain that is none has no error")
	}
}
