package apitype

// Health is the reply of GET /healthz: the process is alive and its socket answers.
type Health struct {
	Status string `json:"status"` // Always "ok".
}

// Ready is the reply of GET /readyz.
type Ready struct {
	Ready    bool      `json:"ready"`    // Addresses can be verified to the end.
	Problems []Problem `json:"problems"` // What stands in the way; may also hold warnings while Ready is true.
	Error    *Error    `json:"error"`    // Set with status 503, so that every failed reply has the one error shape.
}

// A Problem is one thing that an operator should see to.
type Problem struct {
	Code    string `json:"code"`    // Such as egress_blocked.
	Message string `json:"message"` // Names what to change, such as a configuration key.
}

// Version is the reply of GET /v1/version. Fields that the build did not record are empty.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Built   string `json:"built"` // RFC 3339.
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}
