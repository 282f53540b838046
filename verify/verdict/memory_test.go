package verdict

import "testing"

// TestOnlyEvidenceIsRemembered holds the closed lists to what they are for: memory is about addresses and domains.
func TestOnlyEvidenceIsRemembered(t *testing.T) {
	of := 0
	for _, r := range Reasons() {
		if !r.OfMailbox() && !r.OfDomain() {
			continue
		}
		of++
		if s := r.Subject(); s != SubjectAddress && s != SubjectDomain {
			t.Errorf("%s may be remembered and is about the %s", r, s)
		}
	}
	if of != 12 {
		t.Errorf("%d reasons may be remembered, want 12", of)
	}
	for _, r := range []Reason{"", "nonsense", RoleAddress, Greylisted, PersistentTempfail, AcceptSuspect, ProviderUnverifiable} {
		if r.OfMailbox() || r.OfDomain() {
			t.Errorf("%q may be remembered", r)
		}
	}
	for _, r := range Reasons() {
		if r.IsAcceptance() && r.IsRefusal() {
			t.Errorf("%s is both an acceptance and a refusal", r)
		}
	}
}
