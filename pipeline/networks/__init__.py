"""The networks: `architecture` and `presets` say what they are, `build` makes them in Keras."""
