"""Calls that go on to somebody or something else."""

from twilio.twiml.voice_response import Client, Connect, ConversationRelay, Pay, Prompt, Refer, Sip, Start, Stop, VirtualAgent

from .shelf import HOST, WSS, document


@document("voice")
def dial_number(r):
    r.dial("+15550100003")


@document("voice")
def dial_all_attributes(r):
    r.dial(
        "+15550100003", action="/dialed?leg=1&of=2", method="POST", timeout=20, hangup_on_star=True, time_limit=3600,
        caller_id="+15550100002", record="record-from-answer-dual", trim="do-not-trim", answer_on_bridge=True,
        ring_tone="il", sequential=True, recording_track="both", recording_status_callback="/recording",
        recording_status_callback_event="in-progress completed", refer_url="/refer", refer_method="POST",
    )


@document("voice")
def dial_numbers(r):
    dial = r.dial(action="/dialed", timeout=15)
    for tail in range(4, 9):
        dial.number(f"+1555010000{tail}", send_digits="wwww1#", url=f"/whisper?agent={tail}&lang=en",
                    status_callback=f"{HOST}/status?leg={tail}&x=1", status_callback_event="initiated ringing answered completed")


@document("voice")
def dial_number_amd(r):
    dial = r.dial(answer_on_bridge=True)
    dial.number("+15550100003", machine_detection="DetectMessageEnd", amd_status_callback="/amd?x=1&y=2",
                machine_detection_timeout=30, machine_detection_speech_threshold=2400)


@document("voice")
def dial_client(r):
    client = Client(url="/whisper", status_callback="/status")
    client.identity("agent_7")
    client.parameter(name="CustomerName", value="Ada & Sons")
    client.parameter(name="Notes", value="prefers <mornings>")
    r.dial().append(client)


@document("voice")
def dial_conference(r):
    dial = r.dial()
    dial.conference("Room 12 – R&D", start_conference_on_enter=True, end_conference_on_exit=True, beep="onEnter",
                    wait_url=f"{HOST}/wait?room=12&lang=he", wait_method="GET", max_participants=10, record="record-from-start",
                    status_callback="/conference", status_callback_event="start end join leave mute hold speaker",
                    jitter_buffer_size="small", participant_label="caller")


@document("voice")
def dial_conference_coach(r):
    r.dial().conference("support", muted=True, coach="CA0123456789abcdef0123456789abcdef", region="ie1", wait_url="")


@document("voice")
def dial_queue(r):
    r.dial(action="/after_queue").queue("support", url="/about_to_connect", reservation_sid="WR0123456789abcdef0123456789abcdef",
                                         post_work_activity_sid="WA0123456789abcdef0123456789abcdef")


@document("voice")
def dial_sip(r):
    r.dial().sip("sip:desk@pbx.example.com;transport=tls?x-account=12&x-name=Ada%20L", username="user", password="p&ss<word>",
                 url="/screen", status_callback="/status", status_callback_event="ringing answered")


@document("voice")
def dial_sip_headers(r):
    sip = Sip()
    sip.uri("sip:a@pbx.example.com", priority=1, weight=10)
    sip.uri("sip:b@pbx.example.com", priority=2, weight=20)
    sip.headers().header("X-Call", "1&2")
    r.dial().append(sip)


@document("voice")
def dial_sim(r):
    r.dial().sim("DE0123456789abcdef0123456789abcdef")


@document("voice")
def dial_application(r):
    app = r.dial().application(application_sid="AP0123456789abcdef0123456789abcdef", customer_id="42", copy_parent_to=True)
    app.parameter(name="ticket", value="#1 & more")


@document("voice")
def dial_whats_app(r):
    r.dial(caller_id="whatsapp:+15550100002").whats_app("+15550100003", status_callback="/status")


@document("voice")
def enqueue_named(r):
    r.enqueue("support", action="/left?why=1&x=2", wait_url="/hold?q=support&lang=en", wait_url_method="POST", max_queue_size=50)


@document("voice")
def enqueue_task(r):
    enqueue = r.enqueue(workflow_sid="WW0123456789abcdef0123456789abcdef")
    enqueue.task('{"type":"call","skills":["he","en"],"note":"a < b & c"}', priority=5, timeout=300)


@document("voice")
def sms_verb(r):
    r.sms("Your ticket is #42 & ready", to="+15550100003", from_="+15550100002", action="/sent", status_callback="/sms_status")


@document("voice")
def pay(r):
    prompt = Prompt(for_="payment-card-number", error_type="timeout invalid-card-number", attempt="1 2", card_type="visa mastercard")
    prompt.say("Please enter your card number.")
    prompt.pause(length=1)
    pay = Pay(input="dtmf", action="/paid?order=1&x=2", charge_amount="20.45", currency="usd", payment_connector="Default",
              valid_card_types="visa mastercard amex", security_code=True, postal_code="94103", description="Order <42>",
              token_type="one-time", status_callback="/pay_status", language="en-US", max_attempts=2, timeout=5)
    pay.append(prompt)
    pay.parameter(name="order", value="42 & 43")
    r.append(pay)


@document("voice")
def refer(r):
    refer = Refer(action="/referred", method="POST")
    refer.sip("sip:agent@pbx.example.com?X-AcctNumber=123%26")
    r.append(refer)


@document("voice")
def start_stream(r):
    start = Start()
    start.stream(name="fork", url=f"{WSS}/ws/twilio-media", track="both_tracks", status_callback=f"{HOST}/stream_status")
    r.append(start)
    r.say("This call is analysed.")
    r.pause(length=60)


@document("voice")
def start_siprec(r):
    start = Start()
    start.siprec(name="rec", connector_name="Example", track="both_tracks", status_callback="/siprec").parameter(name="a", value="1 < 2")
    r.append(start)
    r.dial("+15550100003")


@document("voice")
def start_transcription(r):
    r.start().transcription(name="notes", track="both_tracks", status_callback_url=f"{HOST}/transcript?x=1&y=2", language_code="he-IL",
                            transcription_engine="google", partial_results=True, hints="תור, חשבון", enable_automatic_punctuation=True)
    r.dial("+15550100003")


@document("voice")
def start_recording(r):
    r.start().recording(recording_status_callback="/recording", channels="dual", track="both", trim="trim-silence")
    r.say("Recorded.")


@document("action")
def stop_all(r):
    stop = Stop()
    stop.stream(name="fork")
    stop.siprec(name="rec")
    stop.transcription(name="notes")
    r.append(stop)
    r.hangup()


@document("voice")
def connect_stream(r):
    connect = Connect(action=f"{HOST}/webhook/stream_ended")
    connect.stream(url=f"{WSS}/ws/twilio-media", status_callback=f"{HOST}/webhook/stream_status")
    r.append(connect)


@document("voice")
def connect_stream_parameters(r):
    connect = r.connect(action="/webhook/stream_ended?v=2&lang=he", method="POST")
    stream = connect.stream(url=f"{WSS}/ws/twilio-media?v=2&lang=he", name="agent", track="inbound_track",
                            status_callback="/webhook/stream_status", status_callback_method="POST")
    for name, value in [("CallSid", "CA0123456789abcdef0123456789abcdef"), ("greeting", "שלום & ברוכים הבאים"),
                        ("config", '{"temperature": 0.7, "tags": ["<vip>", "é"]}'), ("from", "+15550100001"), ("empty", "")]:
        stream.parameter(name=name, value=value)
    r.say("The assistant has left the call.")


@document("voice")
def say_then_connect_stream(r):
    r.say("Connecting you to our assistant.", voice="Polly.Joanna")
    r.pause(length=1)
    connect = Connect(action="/webhook/stream_ended")
    connect.stream(url=f"{WSS}/ws/twilio-media").parameter(name="lang", value="en-US")
    r.append(connect)
    r.redirect("/webhook/incoming_call?after=stream")


@document("voice")
def connect_conversation_relay(r):
    relay = ConversationRelay(
        url=f"{WSS}/relay?a=1&b=2", welcome_greeting="Hi! How can I help & who's calling?", language="en-US", tts_provider="ElevenLabs",
        voice="UgBBYS2sOqTuMpoF3BR0", transcription_provider="Deepgram", speech_model="nova-2-general", interruptible="any",
        dtmf_detection=True, hints="Example, R&D", debug="debugging speaker-events",
    )
    relay.language(code="he-IL", tts_provider="Google", voice="he-IL-Wavenet-A", transcription_provider="google")
    relay.parameter(name="session", value="1 & 2")
    connect = Connect(action="/relay_ended")
    connect.append(relay)
    r.append(connect)


@document("voice")
def connect_virtual_agent(r):
    agent = VirtualAgent(connector_name="project", status_callback="/agent?x=1&y=2", language="en-US", sentiment_analysis=True)
    agent.config(name="timeout", value="30")
    agent.parameter(name="customer", value="Ada & Sons")
    connect = Connect()
    connect.append(agent)
    r.append(connect)


@document("voice")
def connect_conversation(r):
    r.connect().conversation(service_instance_sid="IS0123456789abcdef0123456789abcdef", inbound_timeout=30,
                             status_callback="/conversation", status_callback_event="call-initiated call-answered")


@document("voice")
def connect_room(r):
    r.connect().room("DailyStandup", participant_identity="phone & desk")
