// Package bridge drives Ardesia's bridges to other programs with those programs themselves, and with the files that docs/integrations
// has for them: Debian's Prometheus over TLS and OAuth2, what Grafana would ask, and Mosquitto as the broker of a Home Assistant.
// Only host, port, paths, id and secret are put into the files.
package bridge
