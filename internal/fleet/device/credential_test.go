package device

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestConnectionsAreKnown(t *testing.T) {
	if len(waysOf) != 17 {
		t.Errorf("%d types have connections; the compatible API lists 17", len(waysOf))
	}
	for typ, names := range waysOf {
		if _, known := KindOf(typ); !known {
			t.Errorf("%s is no type of device", typ)
		}
		if len(names) == 0 {
			t.Errorf("%s has no connection", typ)
		}
		for _, name := range names {
			if _, known := ConnectionOf(name); !known {
				t.Errorf("%s has a connection %s, which is none", typ, name)
			}
		}
	}
	for name := range connectionTypes {
		c, known := ConnectionOf(name)
		if !known || len(c.Credentials) == 0 {
			t.Errorf("a device may have the connection %s, of which no secrets are known", name)
		}
		for _, one := range c.Credentials {
			if !strings.HasPrefix(one.Secret, "SECRET_") || one.Label == "" || one.MaxBytes <= 0 {
				t.Errorf("%s has the secret %+v", name, one)
			}
		}
	}
}

// What "device show" and "template apply" of the command line tool ask.
func TestNetworkCredentialsOverHTTP(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		api := h.start().api()
		wifi := api.create("editor", object{"type": "nano_33_iot", "name": "a", "connection_type": "wifi"})["id"].(string)
		esp := api.create("editor", object{"type": "login_and_secretkey_wifi", "name": "b"})["id"].(string)
		program := api.create("editor", object{"type": "generic_device_secretkey", "name": "c"})["id"].(string)
		const path = "/iot/v1/network_credentials/"
		for name, c := range map[string]struct {
			token, path string
			status      int
			want        string // names of the secrets; of connections for /connections
		}{
			"a type":                      {"viewer", "nano_33_iot", 200, "SECRET_SSID SECRET_OPTIONAL_PASS"},
			"a type and a connection":     {"viewer", "envie_m7?connection=eth", 200, "SECRET_OPTIONAL_IP SECRET_OPTIONAL_DNS SECRET_OPTIONAL_GATEWAY SECRET_OPTIONAL_NETMASK"},
			"a board with a secret key":   {"viewer", "login_and_secretkey_wifi", 200, "SECRET_SSID SECRET_OPTIONAL_PASS SECRET_DEVICE_KEY"},
			"a modem":                     {"viewer", "mkrgsm1400?connection=gsm", 200, "SECRET_PIN SECRET_APN SECRET_LOGIN SECRET_PASS"},
			"a LoRa board":                {"viewer", "mkrwan1310", 200, "SECRET_APP_EUI SECRET_APP_KEY"},
			"the ID of a device":          {"viewer", wifi + "?connection=wifi", 200, "SECRET_SSID SECRET_OPTIONAL_PASS"},
			"the ID in capitals":          {"viewer", strings.ToUpper(wifi), 200, "SECRET_SSID SECRET_OPTIONAL_PASS"},
			"a device without connection": {"viewer", esp, 200, "SECRET_SSID SECRET_OPTIONAL_PASS SECRET_DEVICE_KEY"},
			"a device that needs none":    {"viewer", program, 200, ""},
			"a stranger's device":         {"other", wifi + "?connection=wifi", 404, ""},
			"no type":                     {"viewer", "toaster", 404, ""},
			"a type that needs none":      {"viewer", "generic_device_secretkey", 404, ""},
			"no connection":               {"viewer", "nano_33_iot?connection=string", 404, ""},
		} {
			t.Run(name, func(t *testing.T) {
				var got []wireCredential
				status, text := api.call(c.token, "GET", path+c.path, nil, &got)
				var names []string
				for _, one := range got {
					names = append(names, one.SecretName)
				}
				if status != c.status || strings.Join(names, " ") != c.want {
					t.Errorf("answered %d %s", status, text)
				}
			})
		}
		var all map[string][]wireCredential
		if status, text := api.call("viewer", "GET", path+"opta/connections", nil, &all); status != http.StatusOK || len(all) != 4 || len(all["wifi"]) != 2 || len(all["catm1"]) != 4 {
			t.Errorf("connections are %d %s", status, text)
		}
		if status, _ := api.call("viewer", "GET", path+"toaster/connections", nil, nil); status != http.StatusNotFound {
			t.Errorf("connections of nothing = %d", status)
		}
		var one []wireCredential
		if _, text := api.call("viewer", "GET", path+"nano_nora", nil, &one); !slices.Contains(one, wireCredential{"Secret key of the device", 128, true, "SECRET_DEVICE_KEY", true}) ||
			!strings.Contains(text, `"friendly_name":`) || !strings.Contains(text, `"required":false`) {
			t.Errorf("credentials are %s", text)
		}
	})
}

func TestIDsInCapitals(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		api := h.start().api()
		path := devices + "/" + strings.ToUpper(api.create("editor", object{"type": "nano_33_iot", "name": "a"})["id"].(string))
		for _, sub := range []string{"", "/events", "/status", "/status?limit=0", "/properties", "/pass", "/tags", "/certs"} {
			if status, text := api.call("viewer", "GET", path+sub, nil, nil); status != http.StatusOK {
				t.Errorf("GET %s = %d %s", sub, status, text)
			}
		}
		if status, text := api.call("editor", "PUT", path+"/tags", object{"key": "a", "value": "b"}, nil); status != http.StatusOK {
			t.Errorf("PUT tags = %d %s", status, text)
		}
		if status, text := api.call("editor", "DELETE", path, nil, nil); status != http.StatusOK {
			t.Errorf("DELETE = %d %s", status, text)
		}
	})
}
