package oauth

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// ask posts to the token endpoint, past the network.
func (s *site) ask(b *testing.B, body, proof string) map[string]any {
	r := httptest.NewRequest(http.MethodPost, "/oauth2/token", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if proof != "" {
		r.Header.Set("Authorization", proof)
	}
	w := httptest.NewRecorder()
	s.door.ServeHTTP(w, r)
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		b.Errorf("status %d %s", w.Code, w.Body)
	}
	return answer
}

func BenchmarkClientCredentials(b *testing.B) {
	s := small(b)
	id, given := s.key(b, "")
	proof := "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+given))
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			s.ask(b, "grant_type=client_credentials", proof)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}

// Many people's programs renew at the same time; each answer is on disk.
func BenchmarkRefresh(b *testing.B) {
	s := small(b)
	families := make(chan string, 256)
	for range cap(families) {
		families <- s.tokens(b, "cli", with("scope", "openid offline_access iot")).text("refresh_token")
	}
	b.ReportAllocs()
	b.SetParallelism(64)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			f := url.Values{"grant_type": {"refresh_token"}, "client_id": {"cli"}, "refresh_token": {<-families}}
			next, _ := s.ask(b, f.Encode(), "")["refresh_token"].(string)
			families <- next
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}

func BenchmarkVerify(b *testing.B) {
	s := small(b)
	token := s.tokens(b, "cli").text("access_token")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
