package table

// A vendor is the columns that a shape puts behind the input's own.
type vendor struct {
	email string // What the column of the addresses is called if the input doesn't say.
	names []string
	cells func(cells []string, row *Row, o *Outcome) []string
}

func vendorOf(s Shape) vendor {
	switch s {
	default:
		return vendor{"email", resultNames(), resultCells}
	}
}
