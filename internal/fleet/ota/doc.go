// Package ota brings new programs to boards over the air: images that people upload, updates of one device,
// and campaigns that update many in waves.
//
// Invariants:
//   - A device has at most one update that is under way. An update ends once, as succeeded, failed, cancelled or expired.
//   - An update succeeded when the device says that it runs the new image, and by nothing else.
//   - What a device reports of an update counts only from the device that is updated.
//   - An image is checked as a whole before anything refers to it, and goes only to boards that it was made for.
//   - A device is told of an update only after it said what it runs, since it would forget it otherwise. What was sent and
//     never mentioned again is sent again when the device asks for its thing.
//   - The address of a file is good for one attempt of one update of one device, while that lasts.
//
// Boards of the second generation get commands, those of the first the properties OTA_URL and OTA_REQ.
//
// Tables: ota, ota_image, ota_campaign, ota_state; files lie in base/blob.
// Routes: /iot/v2/devices/{id}/ota and below, /ota/v1/ota, /ota/{token}, /v1/ota.
package ota
