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
	if f.Target.Accepted() {
		return nextAccepted(f)
	}
	if f.Target.PutOff() {
		return nextPutOff(f)
	}
	if f.Alike && rcptReason(&f.Target).IsRefusal() {
		return nextAlike(f)
	}
	return Done
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
	if control.Asked {
		return nextDoubted(f, control)
	}
	if f.Suspected {
		return AskFresh
	}
	return AskControl
}

// nextDoubted is Next once a made-up recipient was tried: where that was accepted, and somebody was refused before,
// another is, unless a backup host spoke.
func nextDoubted(f *Facts, control *Finding) Step {
	if control.Accepted() && f.doubted() && !f.Second.Asked && !control.Fallback && !f.Target.Fallback {
		return AskSecond
	}
	return Done
}

// nextSuspected is Next while it is not known whether the site still tells the truth: a recipient that nobody can have
// asked for is tried here, and if that is accepted too, where such ones are refused.
func nextSuspected(f *Facts) Step {
	if f.Silenced {
		return Done
	}
	if !f.Fresh.Asked {
		return AskFresh
	}
	if f.Fresh.Accepted() && !f.Alone && !f.Elsewhere.Asked {
		return AskElsewhere
	}
	return Done
}

// nextPutOff is Next for a target that is put off: the control goes along, so that it has waited as long as the target
// when that is accepted.
func nextPutOff(f *Facts) Step {
	if f.AcceptAll != verdict.Undetermined || f.worthless() || f.Expected || f.Control.Asked || f.Target.doubtful() {
		return Done
	}
	return AskControl
}

// nextAlike is Next for a target that was refused in the words in which all were. Postmaster is first: where there is
// one, that is a recipient without a refusal, and settles it.
func nextAlike(f *Facts) Step {
	if !f.Postmaster.Asked {
		return AskPostmaster
	}
	if f.alike(&f.Postmaster) && !f.Control.Asked {
		return AskControl
	}
	return Done
}
