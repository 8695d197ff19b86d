package org

import (
	"net/http"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /v1/roles":       {ID: "roles#list", Summary: "List the roles, and what each may do"},
	"GET /v1/spaces":      {ID: "spaces#list", Summary: "List the spaces that you are a member of"},
	"POST /v1/spaces":     {ID: "spaces#create", Summary: "Make a shared space", Fails: []*problem.Problem{ErrKeep, ErrLevel, ErrName, ErrSpaces}},
	"GET /v1/spaces/{id}": {ID: "spaces#show", Summary: "Show a space"},
	"PATCH /v1/spaces/{id}": {
		ID: "spaces#update", Summary: "Change a space",
		Fails: []*problem.Problem{ErrKeep, ErrLevel, ErrName, ErrPrivate, ErrWeaker},
	},
	"GET /v1/spaces/{id}/usage":   {ID: "spaces#usage", Summary: "How much of each quota a space has used"},
	"GET /v1/spaces/{id}/members": {ID: "spaces#listMembers", Summary: "List the members of a space"},
	"PATCH /v1/spaces/{id}/members/{user}": {
		ID: "spaces#updateMember", Summary: "Give a member another role",
		Fails: []*problem.Problem{ErrLastAdmin, ErrNoMember, ErrOwner, ErrPrivate, access.ErrRole},
	},
	"DELETE /v1/spaces/{id}/members/{user}": {
		ID: "spaces#removeMember", Summary: "Remove a member",
		Fails: []*problem.Problem{ErrLastAdmin, ErrNoMember, ErrOwner, ErrPrivate},
	},
	"POST /v1/spaces/{id}/leave": {
		ID: "spaces#leave", Summary: "Leave a space",
		Fails: []*problem.Problem{ErrLastAdmin, ErrNoMember, ErrOwnerLeaves, ErrPrivate},
	},
	"POST /v1/spaces/{id}/owner": {
		ID: "spaces#handOver", Summary: "Offer a space to another member, who then owns it",
		Fails: []*problem.Problem{ErrNoMember, ErrNotOwner, ErrPrivate},
	},
	"POST /v1/spaces/{id}/owner/accept": {
		ID: "spaces#takeOver", Summary: "Take over a space that was offered",
		Fails: []*problem.Problem{ErrNotOffered, ErrPrivate, ErrSpaces},
	},
	"POST /v1/spaces/{id}/disband": {
		ID: "spaces#disband", Summary: "Erase a space with all that is in it",
		More:  "The name must be the space's, exactly. This cannot be undone.",
		Fails: []*problem.Problem{ErrErasePrivate, ErrNotNamed, ErrNotOwner},
	},
	"GET /v1/spaces/{id}/invitations": {ID: "invitations#list", Summary: "List the open invitations of a space"},
	"POST /v1/spaces/{id}/invitations": {
		ID: "invitations#create", Summary: "Invite somebody by mail or by link",
		Fails: []*problem.Problem{ErrAddress, ErrExpiry, ErrInvitations, ErrInvited, ErrLetters, ErrMember, ErrNoMail, ErrPrivate, ErrQuota, ErrUses, access.ErrRole},
	},
	"POST /v1/spaces/{id}/invitations/{invitation}/resend": {
		ID: "invitations#resend", Summary: "Send an invitation once more",
		Fails: []*problem.Problem{ErrLetters, ErrNoInvitation, ErrNoMail, ErrResend},
	},
	"DELETE /v1/spaces/{id}/invitations/{invitation}": {
		ID: "invitations#withdraw", Summary: "Withdraw an invitation",
		Fails: []*problem.Problem{ErrNoInvitation},
	},
	"POST /v1/invitations/look": {
		ID: "invitations#look", Summary: "Look at the space that an invitation is for",
		Fails: []*problem.Problem{ErrInvitation},
	},
	"POST /v1/invitations/accept": {
		ID: "invitations#accept", Summary: "Accept an invitation",
		Fails: []*problem.Problem{ErrInvitation, ErrMember, ErrQuota},
	},
	"GET /v1/spaces/{id}/logo": {
		ID: "spaces#logo", Summary: "The picture of a space",
		Gives: pictures, Also: []int{http.StatusNotModified},
		Fails: []*problem.Problem{ErrNoLogo},
	},
	"PUT /v1/spaces/{id}/logo": {
		ID: "spaces#setLogo", Summary: "Set the picture of a space",
		Takes: pictures,
		Fails: []*problem.Problem{ErrLogo, ErrLogoBytes, ErrLogoSize},
	},
	"DELETE /v1/spaces/{id}/logo": {ID: "spaces#dropLogo", Summary: "Remove the picture of a space", Fails: []*problem.Problem{ErrNoLogo}},
}

const pictures = "image/png, image/jpeg, image/webp"
