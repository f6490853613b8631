-- Run by ardour.py: records what improv plays into a MIDI track of a new session.

local folder, seconds = os.getenv ("ARDOUR_SESSION"), tonumber (os.getenv ("ARDOUR_SECONDS"))
local midi = ARDOUR.ChanCount (ARDOUR.DataType ("midi"), 1)
local by_hand = ARDOUR.TransportRequestSource.TRS_UI

local function sleep (seconds)
	ARDOUR.LuaAPI.usleep (math.floor (seconds * 1e6))
end

AudioEngine:set_backend ("JACK", "", "")
assert (AudioEngine:start () == 0, "Ardour finds no JACK server")
local session = assert (create_session (folder, "jam", 48000))

local tracks = session:new_midi_track (midi, midi, true, ARDOUR.PluginInfo (), nil, nil, 1, "partner",
	ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true)
local track = tracks:front ()
track:rec_enable_control ():set_value (1, PBD.GroupControlDisposition.NoGroup)
session:maybe_enable_record (true)

print ("armed")
io.flush ()
local patience = 60
while track:input ():nth (0):connect ("improv:out") < 0 do
	assert (patience > 0, "improv:out does not appear")
	patience = patience - 0.2
	sleep (0.2)
end

session:request_roll (by_hand)
sleep (seconds)
assert (session:actively_recording (), "Ardour does not record")
session:request_stop (false, false, by_hand)
sleep (1)
session:maybe_enable_record (false)
assert (session:save_state ("", false, false, false, false, false) == 0)
close_session ()
quit ()
