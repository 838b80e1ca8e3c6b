# The scripted peer belongs to the tests of the driver.
$(OUT)/tests/d1/d1_peer_server: $(call object,tests/database/d1_peer.c tests/database/d1_peer_engine.c)
