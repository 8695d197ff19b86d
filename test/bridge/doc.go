// Package bridge drives other programs with the files that docs/integrations has for them, against the whole house: Debian's Prometheus
// over TLS and OAuth2, and what Grafana would ask. Only host, port, paths, id and secret are put into the files.
package bridge
