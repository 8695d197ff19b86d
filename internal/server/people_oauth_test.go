package server

import "testing"

func TestWhereThePeopleSignIn(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		web  string
		want string
	}{
		"production":             {Config{Host: "ardesia.example"}, ":443", "https://id.ardesia.example"},
		"production, other port": {Config{Host: "ardesia.example"}, "0.0.0.0:9443", "https://id.ardesia.example:9443"},
		"development":            {Config{Host: "localhost", Dev: true}, "127.0.0.1:8443", "https://localhost:8443"},
		"development, by name":   {Config{Host: "ardesia.example", Dev: true}, "127.0.0.1:8443", "https://ardesia.example:8443"},
		"no name":                {Config{Host: "192.168.1.5"}, ":8443", "https://192.168.1.5:8443"},
		"named":                  {Config{Host: "ardesia.example", Issuer: "https://login.example/"}, ":443", "https://login.example"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (&Server{cfg: c.cfg}).originAt(c.web); got != c.want {
				t.Errorf("originAt = %s, want %s", got, c.want)
			}
		})
	}
}

func TestIssuerIsAnOrigin(t *testing.T) {
	for issuer, want := range map[string]bool{
		"": true, "https://id.example": true, "https://id.example:8443/": true,
		"http://id.example": false, "id.example": false, "https://id.example/path": false, "https://id.example?x": false, "https://u@id.example": false,
	} {
		if _, err := (Config{Data: "x", Issuer: issuer}).Filled(); (err == nil) != want {
			t.Errorf("issuer %q: %v", issuer, err)
		}
	}
}
