package openapi

import (
	"github.com/ardesia-iot/ardesia/internal/base/jsonschema"
)

// A Document is one API, in the words of OpenAPI 3.1.1.
type Document struct {
	OpenAPI    string                           `json:"openapi"`
	Dialect    string                           `json:"jsonSchemaDialect"`
	Info       Info                             `json:"info"`
	Servers    []Server                         `json:"servers,omitempty"`
	Security   []map[string][]string            `json:"security"`
	Tags       []Tag                            `json:"tags"`
	Paths      map[string]map[string]*Operation `json:"paths"` // by path and method in lower case
	Components Components                       `json:"components"`
}

// Info is about the document.
type Info struct {
	Title       string            `json:"title"`
	Version     string            `json:"version"`
	Summary     string            `json:"summary,omitempty"`
	Description string            `json:"description,omitempty"`
	License     map[string]string `json:"license,omitempty"`
}

// A Server is where the API is.
type Server struct {
	URL         string `json:"url"`
	Description string `json:"description,omitempty"`
}

// A Tag is a group of operations.
type Tag struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// Components are what operations share.
type Components struct {
	Schemas    map[string]*jsonschema.Schema `json:"schemas"`
	Security   map[string]any                `json:"securitySchemes"`
	Parameters map[string]*Parameter         `json:"parameters"`
	Headers    map[string]*Header            `json:"headers"`
}

// An Operation is one route.
type Operation struct {
	ID          string                `json:"operationId"`
	Tags        []string              `json:"tags,omitempty"`
	Summary     string                `json:"summary,omitempty"`
	Description string                `json:"description,omitempty"`
	Parameters  []*Parameter          `json:"parameters,omitempty"`
	Body        *Body                 `json:"requestBody,omitempty"`
	Responses   map[string]*Response  `json:"responses"` // by status
	Security    []map[string][]string `json:"security,omitempty"`
	Open        bool                  `json:"x-open,omitempty"` // needs no token; Security says so too

	Method string `json:"-"`
	Path   string `json:"-"`
	silent string // the status that may come without body
	plain  bool   // problems are not in our form
	told   bool   // somebody wrote words about it
}

// A Parameter is part of the path, of the query or a header.
type Parameter struct {
	Ref         string             `json:"$ref,omitempty"`
	Name        string             `json:"name,omitempty"`
	In          string             `json:"in,omitempty"`
	Description string             `json:"description,omitempty"`
	Required    bool               `json:"required,omitempty"`
	Explode     bool               `json:"explode,omitempty"`
	Schema      *jsonschema.Schema `json:"schema,omitempty"`
}

// A Body is what a request carries.
type Body struct {
	Required bool              `json:"required,omitempty"`
	Content  map[string]*Media `json:"content"`
}

// Media is a body in one media type.
type Media struct {
	Schema *jsonschema.Schema `json:"schema,omitempty"`
}

// A Response is an answer with one status.
type Response struct {
	Description string             `json:"description"`
	Headers     map[string]*Header `json:"headers,omitempty"`
	Content     map[string]*Media  `json:"content,omitempty"`
	Codes       []string           `json:"x-codes,omitempty"` // of problems
}

// A Header comes with an answer.
type Header struct {
	Ref         string             `json:"$ref,omitempty"`
	Description string             `json:"description,omitempty"`
	Schema      *jsonschema.Schema `json:"schema,omitempty"`
}
