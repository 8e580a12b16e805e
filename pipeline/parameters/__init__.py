"""The parameters: params.yaml read, checked, and resolved for each stage."""
