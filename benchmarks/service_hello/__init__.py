"""The least that a framework and a server can do: read a JSON body, and answer `{"decision": true}`."""
