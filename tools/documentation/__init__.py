"""What README and docs take from the code and from what was measured: tables between marks."""
