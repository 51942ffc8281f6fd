package cli

import (
	"github.com/spf13/cobra"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/config"
)

// newSchemaCommand is `phigate policy schema`: what editors complete and check by.
func newSchemaCommand(catalogue func() []policy.Info) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of policy files, for editors",
		Long: `Schema prints the JSON Schema (draft 7) of all kinds of document. Editors with a
YAML language server complete and check by it where the first line of a policy
names it:

  # yaml-language-server: $schema=policy.v1alpha1.json

It says less than the compiler: phigate policy lint decides.`,
		Example: "  phigate policy schema > policy.v1alpha1.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := config.Schema(catalogue())
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
}
