package audit

import (
	"maps"
	"slices"
)

// Say is an action of the journal in words. An action that has none yet is told as it is.
func Say(action string) string {
	if text, ok := words[action]; ok {
		return text
	}
	return action
}

// Actions are those that have words, in the order of the alphabet.
func Actions() []string { return slices.Sorted(maps.Keys(words)) }

// words has a sentence for every action that an entry of the journal can have:
// TestEveryActionHasWords looks for them in the code.
var words = map[string]string{
	"access:denied": "Not allowed, and refused",

	"account:address-add":    "E-mail address added",
	"account:address-remove": "E-mail address removed",
	"account:choose":         "Privacy choices changed",
	"account:create":         "Account created",
	"account:disable":        "Account disabled",
	"account:email":          "E-mail address changed",
	"account:enable":         "Account enabled again",
	"account:erase":          "Deletion of the account begun",
	"account:erased":         "Account deleted for good",
	"account:freeze":         "Account frozen",
	"account:leave":          "Deletion of the account asked for",
	"account:link":           "Link sent by e-mail",
	"account:password":       "Password changed",
	"account:picture":        "Picture changed",
	"account:picture-remove": "Picture removed",
	"account:profile":        "Profile changed",
	"account:recover":        "Account recovered",
	"account:redeem":         "Link from an e-mail used",
	"account:rehash":         "Password stored in a stronger form",
	"account:stay":           "Deletion of the account called off",
	"account:unfreeze":       "Account opened again after it was frozen",
	"account:verify":         "E-mail address confirmed",

	"action:create":      "Action of a trigger made",
	"action:delete":      "Action of a trigger deleted",
	"action:retry":       "Delivery of a trigger tried again",
	"action:unsubscribe": "Letters of a trigger's action stopped",
	"action:update":      "Action of a trigger changed",

	"apikey:create":  "API key made",
	"apikey:delete":  "API key deleted",
	"apikey:disable": "API key switched off",
	"apikey:enable":  "API key switched on",
	"apikey:expire":  "API key ended: its time was over",
	"apikey:leaked":  "API key revoked: it was found where it does not belong",
	"apikey:refused": "Wrong secret for an API key, refused",
	"apikey:rename":  "API key renamed",
	"apikey:revoke":  "API key revoked",
	"apikey:update":  "API key changed",

	"audit:restored":  "Restored from a backup, or the database was set back",
	"audit:truncated": "The audit log was cut off, and filled again",

	"board:free":     "Board made free again by the operator",
	"board:move":     "Board claimed into another space",
	"board:register": "Public key of a board registered",

	"ca:abandon":  "Certificate that was not finished given up",
	"ca:accept":   "Date changed until which old device certificates are accepted",
	"ca:activate": "New generation of the device authority in use",
	"ca:disable":  "Device certificate switched off",
	"ca:enable":   "Device certificate switched on",
	"ca:issue":    "Device certificate issued",
	"ca:revoke":   "Device certificate revoked",
	"ca:rotate":   "New generation of the device authority planned",

	"client:create": "Application registered",
	"client:delete": "Application removed",

	"consent:deny":     "Access for an application refused",
	"consent:give":     "Access for an application allowed",
	"consent:withdraw": "Access for an application withdrawn",

	"dashboard:ask":       "Asked to see a dashboard",
	"dashboard:clone":     "Dashboard copied",
	"dashboard:create":    "Dashboard made",
	"dashboard:delete":    "Dashboard deleted",
	"dashboard:erase":     "Dashboard erased",
	"dashboard:image":     "Picture of a dashboard changed",
	"dashboard:publish":   "Public link of a dashboard made",
	"dashboard:refuse":    "Request to see a dashboard refused",
	"dashboard:restore":   "Deleted dashboard brought back",
	"dashboard:share":     "Dashboard shared with a guest",
	"dashboard:unpublish": "Public link of a dashboard revoked",
	"dashboard:unshare":   "Dashboard taken back from a guest",
	"dashboard:update":    "Dashboard changed",

	"delivery:dead": "Delivery of a trigger given up",

	"device:claim":         "Device claimed",
	"device:create":        "Device added",
	"device:delete":        "Device deleted",
	"device:delete-secret": "Device's secret key removed",
	"device:hide":          "Deleted device put aside",
	"device:refused":       "Wrong credentials for a device, refused",
	"device:remove":        "Device removed for good",
	"device:tag":           "Device's tags changed",
	"device:update":        "Device changed",
	"device:write-secret":  "Device's secret key changed",

	"factor:forget":          "All second factors removed",
	"factor:passkey-add":     "Passkey added",
	"factor:passkey-remove":  "Passkey removed",
	"factor:passkey-rename":  "Passkey renamed",
	"factor:passkey-suspect": "Passkey refused: it seems to be a copy",
	"factor:recovery-make":   "Recovery codes made",
	"factor:recovery-use":    "Recovery code used",
	"factor:totp-add":        "Authenticator app added",
	"factor:totp-begin":      "Adding an authenticator app begun",
	"factor:totp-remove":     "Authenticator app removed",

	"grant:begin": "Application given access",
	"grant:end":   "Access of an application ended",

	"guard:code-guessing":     "Codes guessed again and again",
	"guard:leaked-key":        "API key found where it does not belong",
	"guard:lift":              "Block after failed attempts lifted",
	"guard:many-failures":     "Many failed attempts to sign in",
	"guard:network-owner":     "Guessing from the networks of one owner",
	"guard:new-device":        "Signed in on a new device",
	"guard:recovery-guessing": "Recovery codes guessed again and again",
	"guard:spraying":          "One password tried on many accounts",
	"guard:stuffing":          "Stolen passwords tried on many accounts",
	"guard:token-guessing":    "Secrets of API keys guessed again and again",
	"guard:travel":            "Signed in from two places too far apart",

	"homeassistant:erase-all": "Bridge to Home Assistant of a space erased",
	"homeassistant:remove":    "Bridge to Home Assistant removed",
	"homeassistant:set":       "Bridge to Home Assistant set up or changed",

	"invitation:accept": "Invitation accepted",
	"invitation:create": "Invitation sent",
	"invitation:resend": "Invitation sent again",
	"invitation:revoke": "Invitation withdrawn",
	"invitation:update": "Invitation changed",

	"key:destroyed": "Key of what was erased destroyed",

	"keys:recovery": "Recovery key made",
	"keys:rotate":   "Change of the root key begun",
	"keys:rotated":  "Root key changed",

	"logout:give-up": "Application could not be told of a sign-out",

	"member:leave":  "Left a space",
	"member:remove": "Member removed from a space",
	"member:update": "Member's role in a space changed",

	"onboarding:certify":   "Certificate for a claimed board issued",
	"onboarding:claim":     "Board claimed",
	"onboarding:complete":  "Claimed board became a device",
	"onboarding:drop":      "Claim of a board dropped",
	"onboarding:expire":    "Claim of a board ended: it did not come in time",
	"onboarding:provision": "Device chosen for a claimed board",

	"org:create":         "Space made",
	"org:disband":        "Space disbanded",
	"org:erase":          "Erasure of a space begun",
	"org:erased":         "Space erased for good",
	"org:keep":           "Time changed for which a space keeps values",
	"org:level":          "Level of a space changed",
	"org:logo":           "Logo of a space changed",
	"org:offer":          "Ownership of a space offered",
	"org:owner":          "Owner of a space changed",
	"org:quota":          "Limits of a space changed",
	"org:rename":         "Space renamed",
	"org:update":         "Space changed",
	"org:values-refused": "Values refused: the space sent enough that day",

	"ota:cancel": "Update of a device cancelled",
	"ota:create": "Update of a device started",
	"ota:delete": "Uploaded program deleted",
	"ota:end":    "Update of a device ended",
	"ota:erase":  "Updates and programs of a space erased",
	"ota:halt":   "Updates of many devices halted",
	"ota:resume": "Updates of many devices resumed",
	"ota:upload": "Program for boards uploaded",

	"post:forget":  "Letters to a person deleted",
	"post:give-up": "Letter that could not be delivered given up",

	"property:create": "Property added to a thing",
	"property:delete": "Property deleted",
	"property:erase":  "Property erased with its values",
	"property:update": "Property changed",

	"push:create": "Notices switched on in a browser",
	"push:delete": "Notices switched off in a browser",
	"push:gone":   "Browser takes no notices any more",

	"session:begin":           "Signed in",
	"session:end":             "Signed out",
	"session:end-others":      "Signed out everywhere else",
	"session:forget-browsers": "Known browsers forgotten",
	"session:prove":           "Identity proved again",

	"simulation:create": "Simulated board started",
	"simulation:delete": "Simulated board stopped",

	"social:forget":  "Links to other services removed",
	"social:link":    "Account of another service linked",
	"social:refused": "Answer of another service refused",
	"social:sign-in": "Signed in by another service",
	"social:unlink":  "Account of another service unlinked",

	"spacekey:revoke": "Member's API key revoked",

	"sync:create":       "Group of synchronised properties made",
	"sync:delete":       "Group of synchronised properties deleted",
	"sync:erase-all":    "All groups of synchronised properties of a space erased",
	"sync:update":       "Group of synchronised properties changed",
	"template:applied":  "Things, dashboards and triggers made of a template",
	"template:apply":    "Begun to make what is in a template",
	"template:create":   "Template made",
	"template:delete":   "Template deleted",
	"template:erase":    "Templates of a space erased",
	"template:import":   "Template imported from a file",
	"template:takeback": "What was half made of a template taken back",
	"template:update":   "Template renamed",

	"thing:clone":   "Thing copied",
	"thing:create":  "Thing made",
	"thing:delete":  "Thing deleted",
	"thing:detach":  "Device detached from a thing",
	"thing:erase":   "Thing erased with its values",
	"thing:restore": "Deleted thing brought back",
	"thing:tag":     "Thing's tags changed",
	"thing:update":  "Thing changed",

	"trigger:arm":       "Trigger armed",
	"trigger:create":    "Trigger made",
	"trigger:delete":    "Trigger deleted",
	"trigger:disarm":    "Trigger disarmed",
	"trigger:erase":     "Trigger erased",
	"trigger:erase-all": "All triggers of a space erased",
	"trigger:forget":    "Browsers for notices and muted triggers forgotten",
	"trigger:mute":      "Letters of a trigger stopped",
	"trigger:restore":   "Deleted trigger brought back",
	"trigger:unmute":    "Letters of a trigger wanted again",
	"trigger:update":    "Trigger changed",

	"webhook:create":    "Webhook of a device made",
	"webhook:delete":    "Webhook of a device deleted",
	"webhook:disable":   "Webhook turned off that nobody took anything from",
	"webhook:erase-all": "All webhooks of a space erased",
	"webhook:rotate":    "Secret of a webhook replaced",
	"webhook:update":    "Webhook of a device turned on or off",
}
