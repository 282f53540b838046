package verdict

// StageReport is the stage of evidence that is no dialogue of ours: an application reported what became of a message
// that it sent. Its Source is the application, its Text the bounce, or "delivered".
const StageReport = "report"

// Reported returns the report that what is remembered with this evidence rests on, nil if it rests on a dialogue: a
// report is always the last that was heard.
func Reported(evidence []Evidence) *Evidence {
	if n := len(evidence); n > 0 && evidence[n-1].Stage == StageReport {
		return &evidence[n-1]
	}
	return nil
}
