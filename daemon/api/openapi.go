package api

import (
	_ "embed"
	"net/http"
)

// openAPI describes the API, OpenAPI 3.1. It is written from the routes and the types of client/apitype by
// "go generate ./daemon/api", and every request and reply of this package's tests is held against it; see
// docs/adr/0015-openapi.md.
//
//go:embed openapi.json
var openAPI []byte

//go:generate go test -run ^TestOpenAPIGenerated$ -update

// openAPIDocument is GET /openapi.json.
func (s *Server) openAPIDocument(c *call) error {
	if err := c.noQuery(); err != nil {
		return err
	}
	c.send(http.StatusOK, openAPI)
	return nil
}
