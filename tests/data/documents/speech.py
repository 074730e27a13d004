"""Five documents in each of fourteen languages."""

from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import VoiceResponse

from .shelf import HOST, add

# code: (language, voice, greeting, menu, record, hold, reply)
SPEECH = {
    "en": ("en-US", "Polly.Joanna", "Thank you for calling Example Dental.", "Press 1 for appointments, 2 for billing.",
           "Please leave a message after the beep.", "All our agents are busy; please hold.", "We got your message & will call back."),
    "en-gb": ("en-GB", "Polly.Amy", "You've reached the clinic's night line.", "For emergencies press 9 – otherwise hold.",
              "Speak after the tone, then press hash.", "You're number 3 in the queue.", "Ta! We'll ring you “tomorrow”."),
    "he": ("he-IL", "Google.he-IL-Wavenet-A", "שלום, הגעתם למרפאה.", "לתורים הקישו 1, לחשבונות הקישו 2.",
           "השאירו הודעה אחרי הצפצוף.", "כל הנציגים עסוקים, נא להמתין.", "קיבלנו את הודעתך ✔ נחזור אליך."),
    "ar": ("ar-AE", "Polly.Hala-Neural", "شكراً لاتصالكم بالعيادة.", "للمواعيد اضغط ١، وللحسابات اضغط ٢.",
           "اترك رسالتك بعد الصفارة.", "جميع الموظفين مشغولون، الرجاء الانتظار.", "تم استلام رسالتك، سنتصل بك قريباً."),
    "es": ("es-MX", "Polly.Mia", "Gracias por llamar; ¿en qué podemos ayudarle?", "Marque 1 para citas, 2 para facturación.",
           "Deje su mensaje después del tono.", "Todos los agentes están ocupados, espere un momento.", "¡Recibimos su mensaje! Gracias."),
    "fr": ("fr-FR", "Polly.Lea", "Bienvenue à l'accueil de l'hôpital.", "Tapez 1 pour un rendez-vous, 2 pour la facturation.",
           "Laissez un message après le bip.", "Tous nos conseillers sont occupés, merci de patienter.", "Message reçu, à bientôt !"),
    "de": ("de-DE", "Polly.Vicki", "Grüß Gott, Sie haben die Praxis erreicht.", "Für Termine drücken Sie die 1, für Rechnungen die 2.",
           "Bitte sprechen Sie nach dem Signalton.", "Alle Leitungen sind belegt, bitte bleiben Sie dran.", "Danke, wir rufen zurück (heute bis 18:00)."),
    "pt": ("pt-BR", "Polly.Camila", "Obrigado por ligar para a clínica.", "Para consultas tecle 1, para faturas tecle 2.",
           "Deixe sua mensagem após o sinal.", "Todos os atendentes estão ocupados, aguarde.", "Recebemos sua mensagem, até já!"),
    "it": ("it-IT", "Polly.Bianca", "Grazie per aver chiamato lo studio.", "Premere 1 per gli appuntamenti, 2 per le fatture.",
           "Lasciate un messaggio dopo il segnale.", "Tutti gli operatori sono occupati, attendere prego.", "Messaggio ricevuto: è tutto a posto."),
    "ja": ("ja-JP", "Polly.Mizuki", "お電話ありがとうございます。", "ご予約は1を、お支払いは2を押してください。",
           "発信音の後にメッセージをどうぞ。", "ただいま混み合っております。", "メッセージを受け付けました。"),
    "zh": ("zh-CN", "Polly.Zhiyu", "感谢您的来电。", "预约请按1，账单请按2。", "请在提示音后留言。", "所有座席正忙，请稍候。", "已收到您的短信。"),
    "ru": ("ru-RU", "Polly.Tatyana", "Спасибо за звонок в клинику.", "Запись – 1, счета – 2.", "Оставьте сообщение после сигнала.",
           "Все операторы заняты, ожидайте.", "Сообщение получено."),
    "hi": ("hi-IN", "Polly.Aditi", "कॉल करने के लिए धन्यवाद।", "अपॉइंटमेंट के लिए 1 दबाएँ, बिल के लिए 2।", "बीप के बाद संदेश छोड़ें।",
           "सभी एजेंट व्यस्त हैं, कृपया प्रतीक्षा करें।", "आपका संदेश मिल गया 🙏"),
    "tr": ("tr-TR", "Polly.Filiz", "Aradığınız için teşekkürler.", "Randevu için 1'e, fatura için 2'ye basın.",
           "Sinyalden sonra mesaj bırakın.", "Tüm temsilciler meşgul, lütfen bekleyin.", "İletiniz alındı."),
}


def spoken(kind, language, texts):
    """The five documents that every language has."""
    locale, voice, greeting, menu, record, hold, reply = texts

    r = VoiceResponse()
    r.say(greeting, voice=voice, language=locale)
    add(f"greeting-{kind}", "voice", r)

    r = VoiceResponse()
    gather = r.gather(num_digits=1, action=f"/menu?lang={language}&step=1", method="POST", timeout=6, language=locale, input="dtmf speech")
    gather.say(greeting, language=locale, voice=voice)
    gather.pause(length=1)
    gather.say(menu, language=locale, voice=voice)
    r.redirect(f"{HOST}/webhook/incoming_call?lang={language}&retry=1")
    add(f"menu-{kind}", "voice", r)

    r = VoiceResponse()
    r.say(record, voice=voice, language=locale)
    r.record(max_length=120, action="/recorded", finish_on_key="#", play_beep=True, recording_status_callback=f"{HOST}/recording?lang={language}&call=1")
    r.hangup()
    add(f"voicemail-{kind}", "action", r)

    r = VoiceResponse()
    r.say(hold, voice=voice, language=locale)
    r.play(f"{HOST}/music/{language}.mp3")
    add(f"hold-{kind}", "wait", r)

    r = MessagingResponse()
    r.message(reply)
    add(f"reply-{kind}", "messaging", r)


for code, texts in SPEECH.items():
    spoken(code, code, texts)
