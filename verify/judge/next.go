package judge

import "github.com/verimails/verimaild/verify/verdict"

// A Step is somebody who is to be asked about before a decision.
type Step uint8

// The steps.
const (
	Done          Step = iota // Nobody: what is known decides.
	AskControl                // The domain's own made-up recipient.
	AskSecond                 // Another one.
	AskFresh                  // One that nobody has ever asked about.
	AskElsewhere              // One like that at another domain of the site, which is known to refuse such.
	AskPostmaster             // The domain's postmaster.
)

// Next says who is to be asked about next, once the target was. Whoever is asked about costs the source something, so
// nobody is whose answer cannot change the reason, nor is anybody asked about twice.
func Next(f *Facts) Step {
	switch {
	case f.Target.Accepted():
		return nextAccepted(f)
	case f.Target.PutOff():
		return nextPutOff(f)
	case f.Alike && rcptReason(&f.Target).IsRefusal():
		return nextAlike(f)
	default:
		return Done
	}
}

// nextAccepted is Next for an accepted target.
func nextAccepted(f *Facts) Step {
	if f.worthless() || f.known() == verdict.True {
		return Done
	}
	if f.Suspected && !f.honest() {
		return nextSuspected(f)
	}
	if f.known() == verdict.False {
		return Done
	}
	control := f.first()
	switch {
	case !control.Asked && f.Suspected:
		return AskFresh
	case !control.Asked:
		return AskControl
	case control.Accepted() && !f.Target.Fallback && !control.Fallback && f.doubted() && !f.Second.Asked:
		return AskSecond
	default:
		return Done
	}
}

// nextSuspected is Next while it is not known whether the site still tells the truth: a recipient that nobody can have
// asked for is tried here, and if that is accepted too, where such ones are refused.
func nextSuspected(f *Facts) Step {
	switch {
	case f.Silenced:
		return Done
	case !f.Fresh.Asked:
		return AskFresh
	case f.Fresh.Accepted() && !f.Alone && !f.Elsewhere.Asked:
		return AskElsewhere
	default:
		return Done
	}
}

// nextPutOff is Next for a target that is put off: the control goes along, so that it has waited as long as the target
// when that is accepted.
func nextPutOff(f *Facts) Step {
	switch {
	case f.worthless(), f.AcceptAll != verdict.Undetermined, f.Expected, f.Control.Asked, f.Target.doubtful():
		return Done
	default:
		return AskControl
	}
}

// nextAlike is Next for a target that was refused in the words in which all were. Postmaster is first: where there is
// one, that is a recipient without a refusal, and settles it.
func nextAlike(f *Facts) Step {
	switch {
	case !f.Postmaster.Asked:
		return AskPostmaster
	case f.alike(&f.Postmaster) && !f.Control.Asked:
		return AskControl
	default:
		return Done
	}
}
