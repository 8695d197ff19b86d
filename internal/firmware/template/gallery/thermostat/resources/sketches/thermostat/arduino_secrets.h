// Fill these in, or let the editor do it. SECRET_DEVICE_KEY is for boards without a secure element only.
#define SECRET_SSID ""
#define SECRET_OPTIONAL_PASS ""
#define SECRET_DEVICE_KEY ""
