package api

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/verimails/verimaild/client/apitype"
)

// A handler answers one call, or says why it can't.
type handler func(s *Server, c *call) error

// A route is one method of one path.
type route struct {
	pattern string // As http.ServeMux reads it. GET serves HEAD too.
	scope   Scope  // What the caller must have.
	always  bool   // Answered while the daemon stops, too.
	handle  handler
}

// routeTable is the whole API.
var routeTable = []route{
	{"GET /v1/verify", ScopeVerify, false, (*Server).verifyQuery},
	{"POST /v1/verify", ScopeVerify, false, (*Server).verifyBody},
	{"POST /v1/verify/stream", ScopeVerify, false, (*Server).verifyStream},
	{"POST /v1/explain", ScopeVerify, false, (*Server).explain},
	{"POST /v1/feedback", ScopeVerify, false, (*Server).feedback},
	{"GET /v1/feedback", ScopeAdmin, false, (*Server).feedbackStats},
	{"POST /v1/jobs", ScopeJobs, false, (*Server).createJob},
	{"GET /v1/jobs", ScopeJobs, false, (*Server).listJobs},
	{"GET /v1/jobs/{id}", ScopeJobs, false, (*Server).showJob},
	{"DELETE /v1/jobs/{id}", ScopeJobs, false, (*Server).deleteJob},
	{"POST /v1/jobs/{id}/pause", ScopeJobs, false, (*Server).pauseJob},
	{"POST /v1/jobs/{id}/resume", ScopeJobs, false, (*Server).resumeJob},
	{"POST /v1/jobs/{id}/cancel", ScopeJobs, false, (*Server).cancelJob},
	{"POST /v1/jobs/{id}/rerun", ScopeJobs, false, (*Server).rerunJob},
	{"GET /v1/jobs/{id}/results", ScopeJobs, false, (*Server).jobResults},
	{"GET /v1/jobs/{id}/events", ScopeJobs, false, (*Server).jobEvents},
	{"GET /v1/domains/{domain}", ScopeAdmin, false, (*Server).domainRecord},
	{"DELETE /v1/domains/{domain}", ScopeAdmin, false, (*Server).forgetDomain},
	{"DELETE /v1/addresses/{email}", ScopeAdmin, false, (*Server).forgetAddress},
	{"GET /v1/cache", ScopeAdmin, false, (*Server).cacheStats},
	{"DELETE /v1/cache", ScopeAdmin, false, (*Server).forgetAll},
	{"GET /v1/cache/export", ScopeAdmin, false, (*Server).exportCache},
	{"POST /v1/cache/import", ScopeAdmin, false, (*Server).importCache},
	{"GET /v1/egress", ScopeAdmin, false, (*Server).egress},
	{"POST /v1/egress/sources/{name}/drain", ScopeAdmin, false, (*Server).drainSource},
	{"POST /v1/egress/sources/{name}/resume", ScopeAdmin, false, (*Server).resumeSource},
	{"GET /v1/status", ScopeNone, true, (*Server).status},
	{"POST /v1/reload", ScopeAdmin, false, (*Server).reload},
	{"GET /openapi.json", ScopeNone, true, (*Server).openAPIDocument},
	{"GET /metrics", ScopeNone, true, (*Server).metrics},
	{"GET /v1/usage", ScopeNone, false, (*Server).usage},
	{"GET /v1/version", ScopeNone, true, (*Server).version},
	{"GET /healthz", ScopeNone, true, (*Server).health},
	{"GET /readyz", ScopeNone, true, (*Server).ready},
}

// elsewhere is the pattern of requests that no route matches.
const elsewhere = "/"

// nowhere is the route of those requests.
func nowhere() route {
	return route{pattern: elsewhere, scope: ScopeNone, always: true, handle: (*Server).notFound}
}

// routes makes the table's multiplexer.
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	s.tallies = map[string]*tally{}
	for _, rt := range append(slices.Clone(routeTable), nowhere()) {
		s.tallies[rt.pattern] = new(tally)
		mux.HandleFunc(rt.pattern, func(w http.ResponseWriter, r *http.Request) { s.run(rt, w, r) })
	}
	return mux
}

// ServeHTTP answers one request. The multiplexer sees only paths that are in their shortest form: for others it
// would answer with a redirect in HTML.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !plainPath(r) {
		s.run(nowhere(), w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// plainPath reports whether r's path is absolute and in its shortest form.
func plainPath(r *http.Request) bool {
	p := r.URL.EscapedPath()
	return strings.HasPrefix(p, "/") && path.Clean(p) == p
}

// notFound tells a wrong path from a wrong method.
func (s *Server) notFound(c *call) error {
	if allow := s.allowed(c.r); allow != "" {
		c.w.Header().Set("Allow", allow)
		return fail(apitype.CodeMethodNotAllowed, "%s does not take %s, only %s.", quote(c.r.URL.Path), quote(c.r.Method), allow)
	}
	return fail(apitype.CodeNotFound, "There is no %s in this API.", quote(c.r.URL.Path))
}

// allowed lists the methods that r's path takes, as in the Allow header; "" if the path does not exist.
func (s *Server) allowed(r *http.Request) string {
	if !plainPath(r) {
		return ""
	}
	var allow []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
		probe := &http.Request{Method: m, URL: r.URL, Host: r.Host}
		if _, pattern := s.mux.Handler(probe); pattern != elsewhere {
			allow = append(allow, m)
		}
	}
	return strings.Join(allow, ", ")
}
