package lists

// Options names the operator's files. The zero Options has none.
type Options struct {
	Disposable   Overlay // Domains.
	PrivacyRelay Overlay // Domains.
	FreeProvider Overlay // Domains.
	Role         Overlay // Local-parts.
}

// An Overlay changes one list. Each file holds one name per line; what follows a # is a comment.
//
// A domain stands for everything below it as well; the more specific name wins, so that a file can take example.com off
// and put mail.example.com on. A public suffix such as co.uk matches nothing and is left out, see Version.
// The syntax of local-parts is that of data/roles.txt.
type Overlay struct {
	Add    []string // Paths of files whose names go on the list.
	Remove []string // Paths of files whose names come off it, whoever put them on. A name in both is an error.
}

// A Version says where a list came from and what it holds.
type Version struct {
	List    string // Such as "disposable".
	Source  string // Whose names are built in.
	Date    string // When they were taken over, as 2026-11-23.
	Licence string // SPDX identifiers.
	Names   int    // Built in.
	Added   int    // Names in the operator's files that go on the list.
	Removed int    // Names in the operator's files that come off it.

	// Ignored are names that were left out because they are public suffixes, with file and line where an operator's file has them.
	Ignored []string
}
