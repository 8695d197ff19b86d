package house

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/org"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// A sample is a request that a route must accept. What stands in braces is replaced
// by what the caller owns.
type sample struct{ query, kind, body string }

const (
	isJSON = "application/json"
	isForm = "application/x-www-form-urlencoded"
)

// samples has one good request for each route that reads a body, and more where
// there is more than one way to ask.
var samples = map[string][]sample{
	"POST /iot/v1/clients/token": {
		{"", isForm, "grant_type=client_credentials&client_id={client}&client_secret={secret}&audience=https%3A%2F%2Fapi2.arduino.cc%2Fiot"},
		{"", isJSON, `{"grant_type":"client_credentials","client_id":"{client}","client_secret":"{secret}"}`},
	},
	"POST /v1/apikeys/leaked":                                {{"", isJSON, `{"client_id":"{client}","client_secret":"{hex}"}`}},
	"GET /oauth2/authorize":                                  {{query: signInRequest}},
	"POST /oauth2/authorize":                                 {{"", isForm, signInRequest}},
	"POST /oauth2/par":                                       {{"", isForm, signInRequest}},
	"POST /oauth2/token":                                     {{"", isForm, "grant_type=client_credentials&client_id={client}&client_secret={secret}"}},
	"POST /oauth2/device":                                    {{"", isForm, "client_id=ardesiactl&scope=openid+iot"}},
	"POST /oauth2/introspect":                                {{"", isForm, "client_id={client}&client_secret={secret}&token=x"}},
	"POST /oauth2/revoke":                                    {{"", isForm, "client_id=ardesiactl&token=x"}},
	"GET /oauth2/logout":                                     {{}, {query: "state=x"}},
	"POST /oauth2/logout":                                    {{"", isForm, "state=x"}},
	"GET /iot/v2/devices":                                    {{}, {query: "tags=room:hall&serial=x&show_deleted=True&unique_hardware_id=00&across_user_ids=true"}},
	"PUT /iot/v2/devices":                                    {{"", isJSON, `{"type":"mkrwifi1010","name":"new","serial":"AB12","fqbn":"arduino:samd:mkrwifi1010","connection_type":"wifi","ble_mac":"00:11:22:33:44:55","wifi_fw_version":"1.6.0","locked":false}`}},
	"PUT /iot/v2/devices/claim":                              {{"", isJSON, `{"ID":"{fresh}","type":"opta","name":"claimed","unique_hardware_id":"{hex}"}`}},
	"DELETE /iot/v2/devices/{id}":                            {{}, {query: "force=true"}},
	"GET /iot/v2/devices/{id}":                               {{}, {query: "show_deleted=true"}},
	"POST /iot/v2/devices/{id}":                              {{"", isJSON, `{"name":"renamed","type":"login_and_secretkey_wifi","soft_deleted":false}`}},
	"PUT /iot/v2/devices/{id}/certs":                         {{"", isJSON, `{"ca":"Arduino","csr":"{csr}","enabled":true}`}},
	"POST /iot/v2/devices/{id}/certs/{cid}":                  {{"", isJSON, `{"ca":"Arduino","enabled":false}`}},
	"GET /iot/v2/devices/{id}/events":                        {{}, {query: "limit=3&start=2026-01-02T03:04:05Z"}},
	"GET /iot/v2/devices/{id}/pass":                          {{}, {query: "suggested_password=true"}},
	"POST /iot/v2/devices/{id}/pass":                         {{"", isJSON, `{"password":"{pass}"}`}},
	"PUT /iot/v2/devices/{id}/pass":                          {{"", isJSON, `{"password":"another-secret-key"}`}, {"", isJSON, `{}`}},
	"GET /iot/v2/devices/{id}/properties":                    {{}, {query: "show_deleted=true"}},
	"PUT /iot/v2/devices/{id}/properties":                    {{"", isJSON, `{"input":true,"properties":[{"name":"canary","type":"infer","value":2.5}]}`}},
	"GET /iot/v2/devices/{id}/properties/{pid}":              {{}, {query: "limit=2"}},
	"GET /iot/v2/devices/{id}/status":                        {{}, {query: "limit=5&start=2026-01-02T03:04:05Z"}},
	"PUT /iot/v2/devices/{id}/tags":                          {{"", isJSON, `{"key":"floor","value":"2"}`}},
	"POST /iot/v2/series/batch_query":                        {{"", isJSON, `{"resp_version":1,"requests":[{"q":"property.{property}","from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z","interval":300,"aggregation":"AVG","series_limit":10}]}`}},
	"POST /iot/v2/series/batch_query_raw":                    {{"", isJSON, `{"resp_version":1,"requests":[{"q":"property.{property}","from":"2026-01-01T00:00:00Z","to":"2040-01-02T00:00:00Z","sort":"DESC","series_limit":10},{"q":"thing.{thing}"}]}`}},
	"POST /iot/v2/series/batch_query_raw/lastvalue":          {{"", isJSON, `{"requests":[{"thing_id":"{thing}","property_id":"{property}"}]}`}},
	"POST /iot/v2/series/batch_query_sampling":               {{"", isJSON, `{"resp_version":1,"requests":[{"q":"property.{property}","from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z","interval":60}]}`}},
	"POST /iot/v2/series/historic_data":                      {{"", isJSON, `{"from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z","properties":["{property}"]}`}},
	"POST /v1/things/{id}/properties/{pid}/history":          {{"", isJSON, `{"times":["2026-01-02T03:04:05Z","2026-01-02T03:04:06.5+01:00"],"values":[1.5,2]}`}},
	"GET /v1/series/rows":                                    {{query: "property={property}"}, {query: "thing={thing},{hooked}&name=canary&from=1767225600000&to=2040-01-01T00:00:00Z&interval=1w&aggregation=max&points=5000"}, {query: "thing={thing}&format=csv"}},
	"GET /v1/integrations/prometheus":                        {{}, {query: "tag=room:hall&thing={thing}"}},
	"GET /iot/v2/things":                                     {{}, {query: "show_properties=true&show_deleted=1&tags=room:hall&ids={thing}&device_id={device}&q=h&sort=-updated_at"}},
	"PUT /iot/v2/things":                                     {{"force=true", isJSON, `{"name":"new","timezone":"Europe/Rome","assistant":"ALEXA","webhook_uri":"https://example.org/hook","webhook_active":true,"tags":[{"key":"a","value":"b"}],"properties":[{"name":"t","type":"TEMPERATURE","permission":"READ_ONLY","update_strategy":"TIMED","update_parameter":60,"min_value":-40,"max_value":85,"persist":true,"tag":3},{"name":"l","type":"HOME_COLORED_LIGHT","permission":"READ_WRITE","update_strategy":"ON_CHANGE","variable_name":"light"}]}`}},
	"DELETE /iot/v2/things/{id}":                             {{}, {query: "force=true"}},
	"POST /iot/v2/things/{id}":                               {{"force=true", isJSON, `{"name":"renamed","device_id":"{device}","timezone":"America/New_York","properties":[{"name":"canary","type":"FLOAT","permission":"READ_WRITE","update_strategy":"ON_CHANGE"}]}`}, {"", isJSON, `{"soft_deleted":true}`}},
	"PUT /iot/v1/lora-devices":                               {{"", isJSON, `{"app":"defaultApp","eui":"0123456789abcdef","frequency_plan":"EU_863_870_TTN","name":"far","type":"mkrwan1310","user_id":"me"}`}},
	"PUT /iot/v2/things/{id}/clone":                          {{"", isJSON, `{"name":"a clone","include_tags":true}`}},
	"PUT /iot/v2/things/{id}/properties":                     {{"", isJSON, `{"name":"added","type":"CHARSTRING","permission":"READ_WRITE","update_strategy":"ON_CHANGE","variable_name":"added"}`}},
	"DELETE /iot/v2/things/{id}/properties/{pid}":            {{}, {query: "force=true"}},
	"POST /iot/v2/things/{id}/properties/{pid}":              {{"", isJSON, `{"name":"canary","type":"FLOAT","permission":"READ_WRITE","update_strategy":"TIMED","update_parameter":10,"max_value":5000}`}},
	"PUT /iot/v2/things/{id}/properties/{pid}/publish":       {{"", isJSON, `{"value":12.5,"device_id":"{device}"}`}},
	"PUT /iot/v2/things/{id}/properties/{pid}/publish_batch": {{"", isJSON, `[{"timestamp":"2026-01-02T03:04:05Z","value":1.5},{"timestamp":"2026-01-02T03:04:06Z","value":2}]`}},
	"GET /iot/v2/things/{id}/properties/{pid}/timeseries":    {{}, {query: "from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z&interval=3600&desc=true&aggregation=MAX"}},
	"PUT /iot/v2/things/{id}/publish":                        {{"", isJSON, `{"to_device":true,"properties":[{"property":"canary","value":3}]}`}},
	"PUT /iot/v2/things/{id}/sketch":                         {{"", isJSON, `{"sketch_version":"v2"}`}},
	"PUT /iot/v2/things/{id}/sketch/{sketch}":                {{}, {"", isJSON, `{"sketch_version":"v1"}`}},
	"PUT /iot/v2/things/{id}/tags":                           {{"", isJSON, `{"key":"floor","value":"2"}`}},

	"GET /iot/v2/dashboards":                                 {{}, {query: "name=board&thing_id={thing}&user_id={fresh}&sort=-name&q=o&tags=a:b"}},
	"POST /iot/v2/dashboards":                                {{"", isJSON, dashboardSample}},
	"PUT /iot/v2/dashboards/{id}":                            {{"", isJSON, dashboardSample}},
	"PATCH /iot/v2/dashboards/{id}":                          {{"", isJSON, `{"name":"renamed"}`}, {"", isJSON, `{"soft_deleted":true}`}},
	"DELETE /iot/v2/dashboards/{id}":                         {{}, {query: "force=true"}},
	"PUT /iot/v2/dashboards/{id}/clone":                      {{"", isJSON, `{"overrides":[{"old_thing_id":"{thing}","new_thing_id":"{thing}"}]}`}},
	"PUT /iot/v2/dashboards/{id}/share_request":              {{"", isJSON, `{"message":"please"}`}},
	"PUT /iot/v2/dashboards/{id}/shares":                     {{"", isJSON, `{"user_id":"{member}","access":"read"}`}, {"", isJSON, `{"users":[{"user_id":"{member}"}]}`}},
	"PUT /iot/v2/dashboards/{id}/widgets/{widget}/variables": {{"", isJSON, `{"variables":["{property}"]}`}, {"", isJSON, `{}`}},
	"GET /iot/v3/dashboards":                                 {{}, {query: "name=board"}},
	"POST /iot/v3/dashboards":                                {{"", isJSON, dashboardSample}},
	"PUT /iot/v3/dashboards/{id}":                            {{"", isJSON, dashboardSample}},
	"PATCH /iot/v3/dashboards/{id}":                          {{"", isJSON, `{"pages":[],"widgets":[]}`}},
	"PUT /iot/v3/dashboards/{id}/clone":                      {{"", isJSON, `{}`}},
	"POST /v1/dashboards/import":                             {{"override=house={thing}&name=copied", isJSON, templateSample}},
	"PUT /v1/dashboards/{id}/link":                           {{"", isJSON, `{"days":30}`}, {"", isJSON, `{}`}},
	"POST /v1/dashboards/{id}/images":                        {{"", "image/png", onePixel}},
	"PUT /v1/dashboards/{id}/cover":                          {{"", "image/png", onePixel}},
	"PUT /v1/dashboards/{id}/tags":                           {{"", isJSON, `{"key":"floor","value":"2"}`}},
	"PUT /v1/triggers/{id}/tags":                             {{"", isJSON, `{"key":"floor","value":"2"}`}},
	"GET /v1/things/{id}/sketch":                             {{}, {query: "language=javascript"}, {query: "board=esp32:esp32:esp32s3&language=cpp"}},
	"GET /v1/things/{id}/sketch.zip":                         {{}, {query: "language=micropython"}},
	"GET /v1/live":                                           {{}, {query: "thing={thing}&device={device}"}, {query: "devices=all"}},
	"GET /v1/shared/{token}/variables/{variable}":            {{}, {query: "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"}},
	"GET /iot/v1/triggers":                                   {{}, {query: "show_deleted=True&property_id={property}&device_id={device}&source_type=PROPERTY&q=x&sort=-name&tags=a:b"}},
	"PUT /iot/v1/triggers":                                   {{"", isJSON, `{"name":"new","property_id":"{property}","condition":{"operator":"GT","value":30,"hysteresis":1},"actions":[{"kind":"SET-PROPERTY","name":"set","set_property":{"property_id":"{property}","value":1}}]}`}, {"", isJSON, `{"name":"away","active":false,"device_status_source":{"criteria":"EXCLUDE","device_ids":["{device}"],"grace_period_offline":60}}`}},
	"POST /iot/v1/triggers/{id}":                             {{"", isJSON, `{"name":"renamed","active":true}`}, {"", isJSON, `{"soft_deleted":true}`}},
	"PATCH /iot/v1/triggers/{id}":                            {{"", isJSON, `{"active":false}`}},
	"DELETE /iot/v1/triggers/{id}":                           {{}, {query: "force=true"}},
	"POST /iot/v1/triggers/{id}/unsubscribe":                 {{"", isJSON, `{"recipients":["{fresh}"]}`}},
	"POST /iot/v1/actions":                                   {{"", isJSON, `{"kind":"CALL-WEBHOOK","name":"hook","trigger_id":"{trigger}","webhook":{"url":"https://example.org/hook"}}`}},
	"PUT /iot/v1/actions/{id}":                               {{"", isJSON, `{"name":"renamed","webhook":{"url":"https://example.org/other"}}`}},
	"PUT /iot/v1/actions/{id}/unsubscribe":                   {{"", isJSON, `{"recipients":["{fresh}"]}`}},
	"POST /v1/triggers/import":                               {{"", isJSON, `{"template":{"name":"imported","linked_property":{"thing_id":"it","property_id":"canary"},"condition":{"operator":"LT","value":3}},"things":{"it":"{thing}"},"prefix_name":"My "}`}},
	"PUT /iot/v1/sync":                                       {{"", isJSON, `{"type":"FLOAT","properties":["{property}",{"id":"{spare}"}]}`}},
	"POST /iot/v1/sync/{id}":                                 {{"", isJSON, `{"properties":[{"id":"{two}"},{"id":"{one}"}]}`}},
	"POST /v1/devices/{id}/simulation":                       {{"", isJSON, `{"secret_key":"{pass}"}`}},
	"PUT /iot/v2/devices/{id}/webhooks":                      {{"", isJSON, `{"uri":"https://example.org/hook","active":false}`}},
	"POST /v1/devices/{id}/webhooks/{webhook}":               {{"", isJSON, `{"active":false}`}},
	"PUT /v1/integrations/homeassistant":                     {{"", isJSON, `{"broker":"mqtts://broker.example.org","user":"ardesia","password":"{pass}","tags":["room:hall"],"topic_prefix":"house/ardesia","writes":false,"enabled":false}`}},
	"PUT /iot/v1/templates":                                  {{"", isJSON, `{"template_name":"","custom_template_id":"{template}","prefix_name":"x ","things_options":{}}`}},
	"POST /storage/template/v1/list":                         {{"", isJSON, `{"sort":"asc"}`}},
	"POST /storage/template/archive/v1":                      {{"", "multipart/form-data; boundary=x", tinoForm()}},
	"POST /v1/templates":                                     {{"", isJSON, `{"name":"another","description":"of a thing","things":["{thing}"]}`}},
	"PATCH /v1/templates/{id}":                               {{"", isJSON, `{"name":"renamed"}`}},
	"POST /v1/push":                                          {{"", isJSON, `{"endpoint":"https://push.example.org/{hex}","keys":{"p256dh":"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4","auth":"BTBZMqHH6r4Tts7J_aSIgg"}}`}},

	"POST /v1/spaces":                                     {{"", isJSON, `{"name":"another"}`}},
	"PATCH /v1/spaces/{id}":                               {{"", isJSON, `{"name":"renamed","require":"two-step"}`}, {"", isJSON, `{}`}},
	"PATCH /v1/spaces/{id}/members/{user}":                {{"", isJSON, `{"role":"editor"}`}},
	"POST /v1/spaces/{id}/owner":                          {{"", isJSON, `{"user":"{member}"}`}},
	"POST /v1/spaces/{id}/disband":                        {{"", isJSON, `{"name":"School"}`}},
	"POST /v1/spaces/{id}/invitations":                    {{"", isJSON, `{"role":"viewer"}`}, {"", isJSON, `{"role":"editor","uses":20,"days":30,"email":""}`}},
	"POST /iot/v2/devices/{id}/ota":                       {{"", "multipart/form-data; boundary=x", form("a program")}},
	"PUT /iot/v2/devices/{id}/ota":                        {{"", isJSON, `{"binary_key":"{imagekey}","async":true,"expire_in_mins":60}`}},
	"POST /iot/v2/devices/{id}/ota/url":                   {{"", isJSON, `{"binary_key":"{imagekey}"}`}},
	"GET /ota/v1/ota":                                     {{}, {query: "device_id={device}&limit=1&order=desc"}},
	"GET /ota/v1/ota/{id}":                                {{}, {query: "limit=5&order=asc"}},
	"POST /v1/ota/images":                                 {{"", "multipart/form-data; boundary=x", form("another program")}},
	"POST /v1/ota/campaigns":                              {{"", isJSON, `{"image_id":"{image}","tags":["room:hall"],"wave_size":10,"max_failed_percent":20,"start_at":"{soon}","expire_in_mins":60,"max_retries":1}`}},
	"POST /provisioning/v1/onboarding/claim":              {{"", isJSON, `{"ble_mac":"A0:01:02:03:04:05","board_token":"{boardtoken}","connection_type":"wifi","device_name":"claimed","locked":false}`}},
	"POST /provisioning/v1/boards/register":               {{"", isJSON, `{"pid":"8057","vid":"2341","public_key":"{boardkey}","serial":"AB12","unique_hardware_id":"{hardware}"}`}},
	"GET /provisioning/v1/onboarding":                     {{}, {query: "all=true"}},
	"POST /provisioning/v1/onboarding/provision/csr":      {{"", isJSON, `{"csr":"{csr}"}`}},
	"POST /provisioning/v1/onboarding/provision/complete": {{"", isJSON, `{"wifi_fw_version":"1.6.0"}`}},
	"GET /iot/v2/binaries/provisioningv2":                 {{query: "fqbn=arduino:samd:nano_33_iot"}},
	"PUT /v1/spaces/{id}/logo":                            {{"", "image/png", onePixel}},
	"GET /v1/spaces/{id}/logo":                            {{}},
	"POST /v1/invitations/look":                           {{"", isJSON, `{"token":"{token}"}`}},
	"POST /v1/invitations/accept":                         {{"", isJSON, `{"token":"{token}"}`}},
	"POST /v1/apikeys":                                    {{"", isJSON, `{"name":"new"}`}, {"", isJSON, `{"name":"robot","space":"{space}","role":"service"}`}},
	"PATCH /v1/apikeys/{id}":                              {{"", isJSON, `{"name":"renamed","enabled":false}`}, {"", isJSON, `{"enabled":true}`}},
}

// onePixel is a PNG picture.
const onePixel = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\b\x00\x00\x00\x00:~\x9bU\x00\x00\x00\nIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82"

// signInRequest is how a program sends a browser here.
const signInRequest = "client_id=ardesiactl&response_type=code&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback&scope=openid+iot&state=x" +
	"&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256" // the challenge of RFC 7636, appendix B

func samplesOf(d door.Declaration) []sample {
	if all, ok := samples[d.Method+" "+d.Path]; ok {
		return all
	}
	return []sample{{}}
}

// A caller is an owner who calls routes.
type caller struct {
	t    testing.TB
	h    *servertest.House
	web  *http.Client
	key  servertest.Key
	api  *client.Client
	own  map[string]string // what stands for a wildcard or a word in braces
	keep string            // the path of a thing that nobody names
	kept string            // the answer of that path

	plain *client.Client // with key

	coming, waiting *newBoard

	id, email string // of the account
	spare     string // API key
	mine      string // the space that was made last
	friend    string // id of somebody else's
	friends   servertest.Key
	friendAPI *client.Client
	askers    *client.Client // of somebody who asks to see dashboards
}

func newCaller(t testing.TB, h *servertest.House) *caller {
	t.Helper()
	_, key := h.Person("owner@example.org")
	c := &caller{t: t, h: h, web: web(t, h), key: key, api: h.Client(key), email: "owner@example.org"}
	c.web.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	var home []struct {
		ID string `json:"id"`
	}
	h.Admin("space.list", nil, &home)
	for _, kind := range org.Quotas() { // what a space may have does not end what is asked of routes
		h.Admin("space.quota", map[string]any{"space": home[0].ID, "quota": kind, "limit": 0}, nil)
	}
	var th client.Thing
	c.do("PUT", "/iot/v2/things", map[string]any{"name": "the one that stays", "tags": []any{map[string]string{"key": "a", "value": "b"}}, "properties": []any{
		map[string]any{"name": "kept", "type": "INT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}}}, &th)
	c.do("PUT", "/iot/v2/things/"+th.ID+"/properties/"+th.Properties[0].ID+"/publish", map[string]any{"value": 4711}, nil)
	c.keep = "/iot/v2/things/" + th.ID
	if c.kept = c.look(c.keep); !strings.Contains(c.kept, "4711") {
		t.Fatalf("the thing that stays is %s", c.kept)
	}
	c.settleIn()
	programs := filepath.Join(h.Config.Data, "provisioning")
	if err := os.MkdirAll(programs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(programs, "arduino.samd.nano_33_iot.bin"), []byte("a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// do calls a route that must succeed; when it was called too often, time goes on.
func (c *caller) do(method, path string, in, out any) {
	c.t.Helper()
	for {
		err := c.api.Do(c.t.Context(), method, path, in, out)
		var e *client.Error
		if errors.As(err, &e) && e.Status == http.StatusTooManyRequests {
			c.h.Pass(time.Second)
			continue
		}
		if err != nil {
			c.t.Fatalf("%s %s: %v", method, path, err)
		}
		return
	}
}

func (c *caller) look(path string) string {
	c.t.Helper()
	var text json.RawMessage
	c.do("GET", path, nil, &text)
	return string(text)
}

// settleIn makes what the caller's requests are about.
func (c *caller) settleIn() {
	c.t.Helper()
	c.settleFleet()
	c.settleSpaces()
	c.settleDashboard()
	c.settleTemplate()
}

// settleFor makes what the requests of one route are about.
func (c *caller) settleFor(d door.Declaration) {
	c.t.Helper()
	c.settleFleet()
	c.settleSpaces()
	if ofDashboards(d) {
		c.settleDashboard()
	}
	if ofBoards(d) {
		c.settleBoards()
	}
	if ofTemplates(d) {
		c.settleTemplate()
	}
}

// ofBoards says whether a route is about boards that come in by a token of their own.
func ofBoards(d door.Declaration) bool { return strings.HasPrefix(d.Path, "/provisioning/") }

// A newBoard is one that signs tokens.
type newBoard struct {
	hardware string
	key      *ecdsa.PrivateKey
}

func (c *caller) board() *newBoard {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	return &newBoard{hexText(), key}
}

// register tells the house the key of a board, and returns a token that it signs now.
func (c *caller) register(b *newBoard) (key, token string) {
	c.t.Helper()
	text, err := boardcert.PublicKeyPEM(&b.key.PublicKey)
	if err != nil {
		c.t.Fatal(err)
	}
	c.h.Pass(time.Second) // a token is newer than the one before
	if token, err = boardcert.SignToken(rand.Reader, b.key, c.h.Now(), b.hardware); err != nil {
		c.t.Fatal(err)
	}
	c.do("POST", "/provisioning/v1/boards/register", map[string]any{"pid": "8057", "vid": "2341", "public_key": string(text), "serial": "", "unique_hardware_id": b.hardware}, nil)
	return string(text), token
}

// settleBoards makes a board that is on its way, and one that can be claimed.
func (c *caller) settleBoards() {
	c.t.Helper()
	if c.coming == nil {
		c.coming, c.waiting = c.board(), c.board()
	}
	_, token := c.register(c.coming)
	var in struct {
		ID string `json:"id"`
	}
	c.do("POST", "/provisioning/v1/onboarding/claim", map[string]any{"board_token": token, "connection_type": "wifi", "device_name": "canary board"}, &in)
	key, token := c.register(c.waiting)
	maps.Copy(c.own, map[string]string{"onboarding": in.ID, "boardtoken": token, "boardkey": strings.ReplaceAll(key, "\n", `\n`), "hardware": c.waiting.hardware})
}

func (c *caller) settleFleet() {
	c.t.Helper()
	var d client.Device
	hardware := hexText()
	c.do("PUT", "/iot/v2/devices", map[string]any{"name": "board", "type": "login_and_secretkey_wifi", "unique_hardware_id": hardware}, &d)
	var th client.Thing
	c.do("PUT", "/iot/v2/things", map[string]any{"name": "thing " + rand.Text(), "device_id": d.ID, "tags": []any{map[string]string{"key": "room", "value": "hall"}}, "properties": []any{
		map[string]any{"name": "canary", "type": "FLOAT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}}}, &th)
	c.settleVariables(d.ID)
	c.settleBridge()
	csr, _ := request(c.t, d.ID)
	quoted, err := json.Marshal(csr)
	if err != nil {
		c.t.Fatal(err)
	}
	secret := rand.Text()
	c.do("PUT", "/iot/v2/devices/"+d.ID+"/pass", map[string]any{"password": secret}, nil)
	c.do("PUT", "/iot/v2/devices/"+d.ID+"/tags", map[string]any{"key": "room", "value": "hall"}, nil)
	another, _ := request(c.t, d.ID)
	var cert struct {
		ID string `json:"id"`
	}
	c.do("PUT", "/iot/v2/devices/"+d.ID+"/certs", map[string]any{"csr": another, "ca": "Arduino", "enabled": true}, &cert)
	var with struct {
		Sketch string `json:"sketch_id"`
	}
	c.do("PUT", "/iot/v2/things/"+th.ID+"/sketch", map[string]any{"sketch_version": "v1"}, &with)
	if c.own == nil {
		c.own = map[string]string{}
	}
	var trigger struct {
		ID      string           `json:"id"`
		Actions []map[string]any `json:"actions"`
	}
	c.do("PUT", "/iot/v1/triggers", map[string]any{"name": "canary trigger", "property_id": th.Properties[0].ID, "condition": map[string]any{"operator": "GT", "value": 1e9}, "actions": []any{
		map[string]any{"kind": "CALL-WEBHOOK", "name": "canary action", "webhook": map[string]any{"url": "https://example.org/canary"}}}}, &trigger)
	var push struct {
		ID string `json:"id"`
	}
	person := *c // a key of one space may not
	if person.plain == nil {
		c.plain = c.client(c.key)
		person.plain = c.plain
	}
	person.api = person.plain
	person.do("POST", "/v1/push", map[string]any{"endpoint": "https://push.example.org/canary", "keys": map[string]any{
		"p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", "auth": "BTBZMqHH6r4Tts7J_aSIgg"}}, &push)
	maps.Copy(c.own, map[string]string{"trigger": trigger.ID, "action": fmt.Sprint(trigger.Actions[0]["id"]), "push": push.ID})
	maps.Copy(c.own, map[string]string{
		"device": d.ID, "thing": th.ID, "property": th.Properties[0].ID, "cid": cert.ID, "sketch": with.Sketch, "csr": string(quoted[1 : len(quoted)-1]),
		"client": c.key.ID, "secret": c.key.Secret, "pass": secret, "hex": hexText(), "fresh": uuid.NewString(),
	})
}

// settleVariables makes properties that are kept the same, on a thing of their own, and webhooks of that and of a device.
func (c *caller) settleVariables(device string) {
	c.t.Helper()
	var th client.Thing
	var list []any
	for _, name := range []string{"one", "two", "spare"} {
		list = append(list, map[string]any{"name": name, "type": "FLOAT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"})
	}
	c.do("PUT", "/iot/v2/things", map[string]any{"name": "twins " + rand.Text(), "properties": list, "webhook_uri": "https://example.org/thing", "webhook_active": false}, &th)
	ids := map[string]string{}
	for _, p := range th.Properties {
		ids[p.Name] = p.ID
	}
	var group, hook struct {
		ID string `json:"id"`
	}
	c.do("PUT", "/iot/v1/sync", map[string]any{"properties": []string{ids["one"], ids["two"]}}, &group)
	c.do("PUT", "/iot/v2/devices/"+device+"/webhooks", map[string]any{"uri": "https://example.org/canary", "active": false}, &hook)
	if c.own == nil {
		c.own = map[string]string{}
	}
	maps.Copy(c.own, ids)
	maps.Copy(c.own, map[string]string{"sync": group.ID, "webhook": hook.ID, "hooked": th.ID})
}

// settleBridge sets up a bridge that is off.
func (c *caller) settleBridge() {
	c.t.Helper()
	c.do("PUT", "/v1/integrations/homeassistant", map[string]any{"broker": "mqtts://broker.example.org", "password": "", "enabled": false}, nil)
}

// settleUpdates makes images, an update and a campaign beside the caller's device, unless they are there.
func (c *caller) settleUpdates() {
	c.t.Helper()
	if c.own["updates of"] == c.own["device"] {
		return
	}
	var made [2]struct {
		ID  string `json:"id"`
		Key string `json:"binary_key"`
	}
	for i, name := range []string{"used", "unused"} {
		got := c.ask("POST", "/v1/ota/images", sample{"", "multipart/form-data; boundary=x", form(name)})
		if err := json.Unmarshal(got.body, &made[i]); err != nil || got.status != http.StatusCreated {
			c.t.Fatalf("upload an image: %d %s", got.status, got.body)
		}
	}
	var boards [2]client.Device
	for i := range boards {
		c.do("PUT", "/iot/v2/devices", map[string]any{"name": "updated", "type": "login_and_secretkey_wifi"}, &boards[i])
	}
	c.do("PUT", "/iot/v2/devices/"+boards[0].ID+"/ota", map[string]any{"binary_key": made[0].Key}, nil)
	var all struct {
		Updates []struct {
			ID string `json:"id"`
		} `json:"ota"`
	}
	c.do("GET", "/ota/v1/ota?device_id="+boards[0].ID, nil, &all)
	var campaign struct {
		ID string `json:"id"`
	}
	c.do("POST", "/v1/ota/campaigns", map[string]any{"image_id": made[0].ID, "device_ids": []string{boards[1].ID}}, &campaign)
	maps.Copy(c.own, map[string]string{"updates of": c.own["device"], "update": all.Updates[0].ID, "campaign": campaign.ID, "image": made[0].ID, "imagekey": made[0].Key, "unused": made[1].ID,
		"soon": c.h.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
}

// form is an upload of an .ota file for an ESP32 that says so many words.
func form(words string) string {
	file, err := otafile.Encode([]byte(words), otafile.ESP32)
	if err != nil {
		panic(err) // it has words
	}
	return "--x\r\nContent-Disposition: form-data; name=\"expire_in_mins\"\r\n\r\n10\r\n--x\r\nContent-Disposition: form-data; name=\"ota_file\"; filename=\"sketch.ota\"\r\n" +
		"Content-Type: application/octet-stream\r\n\r\n" + string(file) + "\r\n--x--\r\n"
}

// settleSpaces makes a space that the caller owns, and one of somebody else's that is offered to them.
func (c *caller) settleSpaces() {
	c.t.Helper()
	const friend = "friend@example.org"
	me := c.email
	add := func(user string) (id string) {
		var sp struct {
			ID string `json:"id"`
		}
		c.admin("space.add", map[string]string{"user": user, "name": "School"}, &sp)
		return sp.ID
	}
	if c.friend == "" {
		c.friend, c.friends = c.h.Person(friend)
		c.friendAPI = c.h.Client(c.friends)
	}
	if c.mine != "" { // one person owns so many spaces; it may be gone
		text, err := json.Marshal(map[string]string{"space": c.mine, "user": friend})
		if err == nil {
			_, err = c.h.Server.Admin(c.t.Context(), "space.owner", text)
		}
		if err != nil && problem.Of(err).Kind == problem.Internal {
			c.t.Fatal(err)
		}
	}
	space, joined, elsewhere := add(me), add(friend), add(friend)
	c.mine = space
	c.admin("space.member", map[string]string{"space": space, "user": friend, "role": "viewer"}, nil)
	c.admin("space.member", map[string]string{"space": joined, "user": me, "role": "viewer"}, nil)
	mine := *c
	mine.api = c.friendAPI
	mine.do("POST", "/v1/spaces/"+joined+"/owner", map[string]string{"user": c.me()}, nil)
	var in, out struct {
		ID   string `json:"id"`
		Link string `json:"link"`
	}
	c.admin("space.invite", map[string]any{"space": elsewhere, "role": "viewer"}, &out)
	c.admin("space.invite", map[string]any{"space": space, "role": "viewer", "email": "guest-" + out.ID + "@example.org"}, &in)
	_, token, _ := strings.Cut(out.Link, "?token=")
	var key, bound servertest.Key
	if c.spare != "" {
		c.admin("apikey.revoke", map[string]string{"client_id": c.spare}, nil) // so that they do not fill the space
	}
	c.admin("apikey.add", map[string]string{"user": me, "name": "spare"}, &key)
	c.admin("apikey.add", map[string]string{"user": friend, "name": "bound", "space": space}, &bound)
	c.spare = key.ID
	for name, value := range map[string]string{"space": space, "joined": joined, "member": c.friend, "invitation": in.ID, "token": token, "apikey": key.ID, "bound": bound.ID} {
		c.own[name] = value
	}
	if c.web != nil {
		c.ask("PUT", "/v1/spaces/"+space+"/logo", sample{"", "image/png", onePixel})
	}
}

// me is the id of the caller's account.
func (c *caller) me() string {
	if c.id == "" {
		var all []struct {
			ID    string `json:"id"`
			Email string `json:"email"`
		}
		c.admin("user.list", nil, &all)
		for _, u := range all {
			if u.Email == c.email {
				c.id = u.ID
			}
		}
	}
	return c.id
}

// admin runs an administrative act for the test that is under way, which a house does not know.
func (c *caller) admin(act string, in, out any) {
	c.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	answer, err := c.h.Server.Admin(c.t.Context(), act, body)
	if err != nil {
		c.t.Fatalf("%s: %v", act, err)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			c.t.Fatal(err)
		}
	}
}

// hexText is a unique hardware id.
func hexText() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// fillIn replaces the words in braces.
func (c *caller) fillIn(text string) string {
	for name, value := range c.own {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// path is the address of a route with what the caller owns for its wildcards.
func (c *caller) path(d door.Declaration, param func(name, own string) string) string {
	if strings.Contains(d.Path, "/ota") {
		c.settleUpdates()
	}
	if ofBoards(d) {
		c.settleBoards()
	}
	return d.Fill(func(name string) string {
		own := c.own["thing"]
		switch {
		case name == "key" && strings.Contains(d.Path, "/tags/"):
			own = "room"
		case strings.Contains(d.Path, "/dashboards/"), strings.HasPrefix(d.Path, "/v1/shared/"):
			own = c.dashboardPart(name, d.Path)
		case ofTemplates(d):
			own = c.own["template"]
		case strings.HasPrefix(d.Path, "/ota/v1/"):
			own = c.own["update"]
		case strings.HasPrefix(d.Path, "/v1/ota/images"):
			own = c.own["unused"]
		case strings.HasPrefix(d.Path, "/v1/ota/campaigns"):
			own = c.own["campaign"]
		case name == "user":
			own = c.own["member"]
		case name == "invitation":
			own = c.own["invitation"]
		case name == "key" && strings.HasPrefix(d.Path, "/v1/spaces/"):
			own = c.own["bound"]
		case strings.HasPrefix(d.Path, "/v1/apikeys/"):
			own = c.own["apikey"]
		case strings.HasSuffix(d.Path, "/leave"), strings.HasSuffix(d.Path, "/owner/accept"):
			own = c.own["joined"]
		case strings.HasPrefix(d.Path, "/v1/spaces/"):
			own = c.own["space"]
		case strings.HasPrefix(d.Path, "/iot/v1/triggers/"), strings.HasPrefix(d.Path, "/v1/triggers/"):
			own = c.own["trigger"]
		case strings.HasPrefix(d.Path, "/iot/v1/actions/"), strings.HasPrefix(d.Path, "/v1/actions/"):
			own = c.own["action"]
		case ofBoards(d):
			own = c.own["onboarding"]
		case strings.HasPrefix(d.Path, "/v1/push/"):
			own = c.own["push"]
		case strings.HasPrefix(d.Path, "/iot/v1/sync/"):
			own = c.own["sync"]
		case name == "webhook":
			own = c.own["webhook"]
		case strings.HasSuffix(d.Path, "/webhook"), strings.HasSuffix(d.Path, "/webhook/secret"):
			own = c.own["hooked"]
		case name == "pid":
			own = c.own["property"]
		case name == "cid":
			own = c.own["cid"]
		case name == "type":
			own = "mkrwifi1010"
		case name == "sketch":
			own = c.own["sketch"]
		case strings.HasPrefix(d.Path, "/iot/v2/devices/"), strings.HasPrefix(d.Path, "/v1/devices/"):
			own = c.own["device"]
		}
		return param(name, own)
	})
}

func ours(_, own string) string { return own }

// An answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask sends one request, with the caller's token, and again when it was one too many.
func (c *caller) ask(method, path string, s sample) answer {
	c.t.Helper()
	return c.askWith(method, path, s, nil)
}

func (c *caller) askWith(method, path string, s sample, header http.Header) answer {
	c.t.Helper()
	for {
		token, err := c.api.Token(c.t.Context())
		var refused *client.Error
		if errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests {
			c.h.Pass(time.Minute)
			continue
		}
		if err != nil {
			c.t.Fatal(err)
		}
		got := c.send(method, path, s, "Bearer "+token, header)
		if got.status != http.StatusTooManyRequests {
			return got
		}
		wait, err := strconv.Atoi(got.header.Get("Retry-After"))
		if err != nil || wait < 1 {
			c.t.Fatalf("%s %s: 429 with Retry-After %q", method, path, got.header.Get("Retry-After"))
		}
		c.h.Pass(time.Duration(wait) * time.Second)
	}
}

// send sends one request, with whatever authorization is; "" is none.
func (c *caller) send(method, path string, s sample, authorization string, header http.Header) answer {
	c.t.Helper()
	u, err := url.Parse(c.h.URL())
	if err != nil {
		c.t.Fatal(err)
	}
	u.Opaque = "//" + u.Host + path // as it is, without tidying
	u.RawQuery = s.query
	r := (&http.Request{
		Method: method, URL: u, Host: u.Host, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(s.body)), ContentLength: int64(len(s.body)),
	}).WithContext(c.t.Context())
	if s.body == "" {
		r.Body = http.NoBody
	}
	maps.Copy(r.Header, header)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	if s.kind != "" {
		r.Header.Set("Content-Type", s.kind)
	}
	got, err := c.web.Do(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	body, err := bodyOf(got)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{got.StatusCode, got.Header, body}
}

// judge says what is wrong with an answer, whatever was asked.
func (a answer) judge(d door.Declaration, s sample) error {
	if a.status >= 500 && a.status != http.StatusNotImplemented {
		return fmt.Errorf("the server failed")
	}
	if a.status < 300 {
		switch {
		case d.Checked && int64(len(s.body)) > d.MaxBody:
			return fmt.Errorf("a body of %d bytes was taken, and the bound is %d", len(s.body), d.MaxBody)
		case a.status != d.Status:
			return fmt.Errorf("its status of success is %d", d.Status)
		case len(a.body) > 0 && strings.Contains(a.header.Get("Content-Type"), "json") && !json.Valid(a.body):
			return fmt.Errorf("it is not JSON")
		}
		return nil
	}
	if len(a.body) == 0 && (a.status == http.StatusMethodNotAllowed || a.status == http.StatusBadRequest && d.Method == "POST" && strings.HasSuffix(d.Path, "/pass")) {
		return nil // clients want nothing to decode there
	}
	if provider := strings.HasPrefix(d.Path, "/oauth2/"); provider && a.status < 500 && a.forProgram(d) {
		return nil
	}
	var e struct {
		ID     string `json:"id"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
		Status int    `json:"status"`
	}
	if err := json.Unmarshal(a.body, &e); err != nil {
		return fmt.Errorf("it is not an error that clients can read: %w", err)
	}
	if e.ID == "" || e.ID != a.header.Get("X-Request-Id") || e.Code == "" || e.Detail == "" || e.Status != a.status {
		return fmt.Errorf("it is not an error as clients read it")
	}
	return nil
}

// forProgram says whether an answer is one that OAuth has: an error by name (RFC 6749,
// section 5.2), or, where browsers come, a way on or a text for the person.
func (a answer) forProgram(d door.Declaration) bool {
	var e struct {
		Error string `json:"error"`
	}
	switch {
	case json.Unmarshal(a.body, &e) == nil && e.Error != "":
		return true
	case d.Path == "/oauth2/userinfo":
		return a.header.Get("WWW-Authenticate") != ""
	case d.Path == "/oauth2/authorize", d.Path == "/oauth2/logout":
		return a.status == http.StatusSeeOther && a.header.Get("Location") != "" ||
			a.status == http.StatusBadRequest && strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") && len(a.body) > 0
	}
	return false
}

// Every route does what it is there for, so that what fuzzing starts from is good,
// and a route that is added has a sample.
func TestEveryRouteTakesItsSamples(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t)
	c := newCaller(t, h)
	known := map[string]bool{}
	for _, d := range door.Table(h.Server.Routes()) {
		known[d.Method+" "+d.Path] = true
		if d.Checked && samples[d.Method+" "+d.Path] == nil {
			t.Errorf("%s %s reads a body: say in samples what a good one is", d.Method, d.Path)
		}
		for _, s := range samplesOf(d) {
			c.settleFor(d) // the one before may have changed or removed it
			path := c.path(d, ours)
			full := sample{c.fillIn(s.query), s.kind, c.fillIn(s.body)}
			got := c.ask(d.Method, path, full)
			// Of a person's token, which userinfo wants, test/oidc has one; the address of a file only its board is told.
			// A board's own requests are refused to who has no token of a board: test/board makes them.
			refuses := !strings.HasPrefix(d.Path, "/provisioning/v1/onboarding/provision/") && got.status >= 300 && got.status != d.Status && d.Action != "series:export" && d.Path != "/oauth2/userinfo" && d.Path != "/ota/{token}"
			if err := got.judge(d, full); err != nil || refuses {
				t.Errorf("%s %s with %+v: %d %s (%v)", d.Method, d.Path, full, got.status, got.body, err)
			}
		}
	}
	for name := range samples {
		if !known[name] {
			t.Errorf("there is no route %s", name)
		}
	}
}

// Whatever an owner sends to a route: it does not fail and does not hang, it says what
// is wrong in the form that clients read, it takes no larger body than it declares,
// and what the request does not name stays as it is.
func FuzzRoutes(f *testing.F) {
	h := servertest.Start(f)
	c := newCaller(f, h)
	table := door.Table(h.Server.Routes())
	if len(table) > 1<<8 {
		f.Fatalf("%d routes: a byte does not tell them apart any more", len(table))
	}
	// A fuzzer finds what is refused by itself, and has its time for more than looking at where it begins.
	fuzzing := flag.Lookup("test.fuzz").Value.String() != ""
	for i, d := range table {
		for _, s := range samplesOf(d) {
			f.Add(uint8(i), uint8(0), "", s.query, s.kind, []byte(s.body))
		}
		if fuzzing {
			continue
		}
		f.Add(uint8(i), uint8(1), "../%2e", "limit=-1&from=x&force=maybe", isForm, []byte("{"))
		f.Add(uint8(i), uint8(2), "", "", isJSON, []byte(`{"name":"\u0000","type":null,"value":1e999,"properties":[{}],"requests":[null]}`))
		f.Add(uint8(i), uint8(3), "", "", isJSON, bytes.Repeat([]byte("["), 100))
	}
	f.Fuzz(func(t *testing.T, route, way uint8, text, query, kind string, body []byte) {
		c.t = t
		d := table[int(route)%len(table)]
		path := c.path(d, func(_, own string) string {
			switch way % 4 {
			case 1:
				return text
			case 2:
				return "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
			case 3:
				return strings.ToUpper(own)
			}
			return own
		})
		if d.Path == "/v1/apikeys/leaked" {
			body = bytes.ReplaceAll(body, []byte("{secret}"), []byte("{hex}")) // it would end the caller's key, as it should
		}
		s := sample{tame(c.fillIn(query), " #"), tame(kind, ""), c.fillIn(string(body))}
		got := c.ask(d.Method, path, s)
		named := d
		if way%4 == 1 { // may be another route's address, or none's
			named.Checked, named.Status = false, got.status
		}
		if err := got.judge(named, s); err != nil {
			t.Errorf("%s %s?%s with %s %q: %d %s: %v", d.Method, path, s.query, s.kind, s.body, got.status, got.body, err)
		}
		for _, text := range h.Wrong() {
			t.Errorf("after %s %s?%s with %s %q: %s", d.Method, path, s.query, s.kind, s.body, text)
		}
		if d.Method == "GET" || strings.HasPrefix(d.Path, "/iot/v2/series") {
			return
		}
		if now := c.look(c.keep); now != c.kept {
			t.Errorf("%s %s?%s with %s %q: what it does not name is now %s, and was %s", d.Method, path, s.query, s.kind, s.body, now, c.kept)
			c.kept = now
		}
		c.tidy(d, got)
	})
}

// tame makes text that a header or a request line may have. What it may not have never reaches a route.
func tame(text, more string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(more, r) {
			return '+'
		}
		return r
	}, text)
}

// tidy makes the caller ready for the next request: what was made goes, so that the
// space does not fill, and what went is made anew.
func (c *caller) tidy(d door.Declaration, got answer) {
	if got.status >= 300 {
		return
	}
	if d.Action == "simulation:create" {
		c.do("DELETE", strings.Replace(d.Path, "{id}", c.own["device"], 1), nil, nil) // nobody sends values here
	}
	var made struct {
		ID string `json:"id"`
	}
	if got.status == http.StatusCreated && json.Unmarshal(got.body, &made) == nil && made.ID != "" {
		switch {
		case ofDashboards(d):
			if made.ID != c.own["dashboard"] && !strings.HasSuffix(d.Path, "/images") && !strings.HasSuffix(d.Path, "/link") {
				c.do("DELETE", "/iot/v2/dashboards/"+made.ID+"?force=true", nil, nil)
			}
		case strings.HasPrefix(d.Path, "/iot/v2/devices") && made.ID != c.own["device"] && !slices.Contains(d.Params, "id"):
			c.do("DELETE", "/iot/v2/devices/"+made.ID+"?force=true", nil, nil)
		case d.Path == "/iot/v1/triggers", d.Path == "/v1/triggers/import":
			c.do("DELETE", "/iot/v1/triggers/"+made.ID+"?force=true", nil, nil)
		case (d.Path == "/iot/v2/things" || strings.HasSuffix(d.Path, "/clone")) && made.ID != c.own["thing"]:
			c.do("DELETE", "/iot/v2/things/"+made.ID+"?force=true", nil, nil)
		}
	}
	went := func(paths ...string) bool {
		return slices.ContainsFunc(paths, func(path string) bool { return c.ask("GET", path, sample{}).status >= 300 })
	}
	thing, device := "/iot/v2/things/"+c.own["thing"], "/iot/v2/devices/"+c.own["device"]
	if went(thing+"/properties/"+c.own["property"], device, device+"/certs/"+c.own["cid"]) {
		for _, old := range []string{thing, device, "/iot/v1/triggers/" + c.own["trigger"], "/iot/v1/sync/" + c.own["sync"], "/iot/v2/things/" + c.own["hooked"]} {
			if gone := c.ask("DELETE", old, sample{query: "force=true"}); gone.status >= 500 {
				c.t.Errorf("DELETE %s: %d %s", old, gone.status, gone.body)
			}
		}
		c.settleFleet()
	}
	if went("/v1/spaces/"+c.own["space"], "/v1/spaces/"+c.own["joined"]) {
		c.settleSpaces()
	}
	if went("/v1/integrations/homeassistant") {
		c.settleBridge()
	}
	if ofDashboards(d) && went("/iot/v2/dashboards/"+c.own["dashboard"]) {
		c.settleDashboard()
	}
}
