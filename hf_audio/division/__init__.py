"""How a user's own recordings are divided into what is trained, validated and tested on."""
