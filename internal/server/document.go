package server

import (
	"fmt"
	"net/http"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/door/openapi"
	"github.com/ardesia-iot/ardesia/internal/people/oauth"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// groups are the chapters of the API's document.
var groups = []openapi.Group{
	{Name: "Tokens", Text: "Access tokens, for API keys and for programs that people let in (OAuth 2.1, OpenID Connect).", Of: []string{"token", "oauth2"}},
	{Name: "Devices", Text: "Boards and programs that are connected.", Of: []string{"devices_v2", "devices_v2_pass", "devices_v2_tags", "devices_v2_certs", "lora_devices_v1", "lora_freq_plan_v1", "network_credentials_v1", "supported", "builder", "simulation"}},
	{Name: "Provisioning", Text: "Boards that come in by a token of their own.", Of: []string{"provisioning", "binaries"}},
	{Name: "Over the air", Text: "New programs for boards.", Of: []string{"devices_v2_ota", "ota_v1", "images", "campaigns"}},
	{Name: "Things", Text: "What a device stands for: its variables, and values of them.", Of: []string{"things_v2", "things_v2_tags", "properties_v2", "property_types_v1"}},
	{Name: "Sketches", Text: "Programs for the devices of things.", Of: []string{"sketches"}},
	{Name: "Synchronised properties", Text: "Properties of several things that are kept the same.", Of: []string{"sync_v1"}},
	{Name: "History", Text: "Values of before.", Of: []string{"series_v2", "history"}},
	{Name: "Live", Text: "What goes on, as it happens.", Of: []string{"live"}},
	{Name: "Dashboards", Text: "Pages that show values and set them.", Of: []string{"dashboards_v2", "dashboards_v3", "dashboards", "shared"}},
	{Name: "Triggers", Text: "What is done when a value or a device changes.", Of: []string{"triggers_v1", "actions_v1", "triggers", "actions", "push"}},
	{Name: "Templates", Text: "Things, dashboards and triggers that are made together, as often as somebody wants.", Of: []string{"templates", "storage"}},
	{Name: "Webhooks", Text: "Addresses that are told of each value of a thing or a device.", Of: []string{"devices_v2_webhooks", "webhooks"}},
	{Name: "Integrations", Text: "Other programs that read what is here, in their own form, or that write some.", Of: []string{"integrations", "homeassistant"}},
	{Name: "Spaces", Text: "Where people work together, and in which role.", Of: []string{"spaces", "roles", "invitations"}},
	{Name: "API keys", Text: "What programs show to get a token.", Of: []string{"apikeys"}},
	{Name: "Account", Text: "What is the person's own.", Of: []string{"me"}},
}

// entering are problems of whoever says who comes and what they may enter.
var entering = []*problem.Problem{access.ErrForbidden, org.ErrNotMember, org.ErrWeaker, org.ErrWeakKey, oauth.ErrOnly, oauth.ErrScope}

// document is the API written down, as it is at the address base.
func document(routes []door.Route, base string) (*openapi.Document, error) {
	return openapi.Build(routes, openapi.Needs{
		Title: "Ardesia", Version: "1", Server: base, Token: "/iot/v1/clients/token", Groups: groups,
		Entering: entering,
	})
}

// Document is the API written down, without its address.
func (s *Server) Document() (*openapi.Document, error) { return document(s.Routes(), "") }

// docPages show the document, to anyone.
func (s *Server) docPages() (map[string]http.HandlerFunc, error) {
	base := ""
	if at := s.base.Load(); at != nil {
		base = *at
	}
	doc, err := document(s.Routes(), base)
	if err != nil {
		return nil, fmt.Errorf("document of the API: %w", err)
	}
	return openapi.NewSite(doc).Pages(), nil
}
