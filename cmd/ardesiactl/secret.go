package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// interactive says whether somebody sits at this client who can be asked.
func interactive() bool { return term.IsTerminal(int(os.Stdin.Fd())) }

// unseen is what a person types after a question and nobody else reads.
func unseen(c *cobra.Command, question string) (string, error) {
	fmt.Fprint(c.ErrOrStderr(), question)
	text, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(c.ErrOrStderr())
	return string(text), err
}

// sent is the first line of standard input, a secret of the kind that what names.
func sent(in *bufio.Reader, what string) (string, error) {
	text, err := in.ReadString('\n')
	if text == "" && err != nil {
		return "", usage{fmt.Errorf("no %s on standard input", what)}
	}
	return strings.TrimRight(text, "\r\n"), nil
}

// keySecret is the secret of an API key: from standard input if that was asked for, else from the environment, else by asking.
func keySecret(c *cobra.Command, in *bufio.Reader, fromStdin bool, variable, question string) (string, error) {
	text := os.Getenv(variable)
	var err error
	switch {
	case fromStdin:
		text, err = sent(in, "secret")
	case text != "":
	case interactive():
		text, err = unseen(c, question)
	default:
		err = usage{fmt.Errorf("no secret: give --secret-stdin or set %s", variable)}
	}
	return strings.TrimSpace(text), err
}
