"""How people ask never to be written to again, a language an entry. Nothing but words.

A phrase is the whole message, written as `optout.normal` leaves it; accents and the like are folded when it is
compared. `around` may stand before or after it without changing it. Only what can hardly mean anything else in answer
to a message belongs here: "no", "later" or "enough of this weather" do not.
"""

import msgspec


class Language(msgspec.Struct, frozen=True):
    phrases: frozenset[str]
    around: frozenset[str]
    has_blanks: bool = True  # between words; without, phrase and message are compared without any


# Understood everywhere.
INTERNATIONAL = frozenset({"stop", "stopp", "unsubscribe", "opt out", "optout"})


def _said(text: str) -> frozenset[str]:
    """Phrases one after the other, `/` between them."""
    return frozenset(" ".join(phrase.split()) for phrase in text.split("/"))


LANGUAGES: dict[str, Language] = {
    "ar": Language(
        _said("""
            توقف / توقفي / توقفوا / قف / كفى / الغاء / إلغاء / إلغاء الاشتراك / الغاء الاشتراك / ألغ اشتراكي /
            لا تراسلني / لا تراسلني مرة أخرى / لا تراسلوني / لا ترسل لي / لا ترسل لي رسائل / لا ترسلوا لي رسائل /
            لا تتواصل معي / لا تتواصل معي مرة أخرى / لا تتواصلوا معي / توقف عن مراسلتي / توقف عن إرسال الرسائل /
            توقفوا عن مراسلتي / احذفني من القائمة / احذفوني من القائمة / اتركني وشأني
        """),
        _said("من فضلك / رجاء / رجاءا / لو سمحت / لو سمحتم / شكرا / شكرا لك / مرحبا / السلام عليكم / الآن / اهلا"),
    ),
    "de": Language(
        _said("""
            stopp bitte / aufhören / aufhoeren / hör auf / hoer auf / hört auf / hören sie auf / abmelden /
            bitte abmelden / abbestellen / austragen / abmeldung / melde mich ab / meldet mich ab /
            keine nachrichten / keine nachrichten mehr / keine weiteren nachrichten / keine werbung /
            keine werbung mehr / keine dms mehr / schreib mir nicht / schreib mir nicht mehr /
            schreibt mir nicht mehr / schreiben sie mir nicht mehr / schreiben sie mir bitte nicht mehr /
            schreib mir bitte nicht mehr / nicht mehr schreiben / nicht mehr anschreiben /
            nicht mehr kontaktieren / kontaktiert mich nicht mehr / kontaktiere mich nicht mehr /
            kontaktieren sie mich nicht mehr / kontaktieren sie mich bitte nicht mehr / hör auf mir zu schreiben /
            hört auf mir zu schreiben / hören sie auf mir zu schreiben / lass mich in ruhe / lasst mich in ruhe /
            lassen sie mich in ruhe / löscht mich aus der liste / nehmt mich aus der liste /
            nehmt mich von der liste / nehmen sie mich von der liste / streicht mich von der liste /
            ich möchte keine nachrichten mehr / ich will keine nachrichten mehr / ich widerspreche / widerspruch
        """),
        _said("""
            bitte / danke / vielen dank / hallo / hi / hey / guten tag / ok / okay / sofort / jetzt / nein /
            nein danke
        """),
    ),
    "en": Language(
        _said("""
            stop it / stop all / stopall / stop now / unsubscribe me / unsub / cancel / end / quit / revoke /
            opt me out / i want to opt out / i opt out / remove me / remove me from your list /
            remove me from this list / take me off your list / take me off this list / delete me from your list /
            stop messaging me / stop texting me / stop writing me / stop writing to me / stop contacting me /
            stop sending me messages / stop sending messages / stop dming me / stop dms / stop spamming me /
            no more messages / no more dms / no more / do not contact me / dont contact me /
            do not contact me again / dont contact me again / do not message me / dont message me /
            do not message me again / dont message me again / do not write to me / dont write to me /
            do not write me / dont write me / never contact me again / never message me again / dont dm me /
            do not dm me / leave me alone
        """),
        _said("""
            please / pls / plz / hi / hey / hello / ok / okay / just / so / no / no thanks / no thank you /
            thanks / thank you / thx / ty / now
        """),
    ),
    "es": Language(
        _said("""
            para ya / para por favor / por favor para / parar / pare / paren / basta / baja / darme de baja /
            dame de baja / denme de baja / dadme de baja / quiero darme de baja / cancelar /
            cancelar suscripción / desuscribir / desuscribirme / no más mensajes / no mas mensajes /
            ni un mensaje más / deja de escribirme / deje de escribirme / dejen de escribirme /
            dejad de escribirme / deja de enviarme mensajes / dejen de enviarme mensajes /
            deja de mandarme mensajes / dejen de mandarme mensajes / no me escribas / no me escribas más /
            no me escriban / no me escriban más / no me escriba más / no me contactes / no me contactes más /
            no me contacten / no me contacten más / no me envíes más mensajes / no me envíen más mensajes /
            no me mandes más mensajes / no me manden más mensajes / no quiero más mensajes /
            no quiero recibir mensajes / no quiero recibir más mensajes / bórrame de la lista /
            bórrenme de la lista / quítame de la lista / sácame de la lista / déjame en paz / déjenme en paz /
            no me molestes / no me molestes más / no me molesten más
        """),
        _said("por favor / porfa / porfavor / gracias / muchas gracias / hola / ok / ya / no gracias"),
    ),
    "fr": Language(
        _said("""
            arrête / arrêtez / arrêter / arrête ça / arrêtez ça / désabonner / désabonnement / me désabonner /
            désabonnez moi / désinscription / désinscrire / désinscrivez moi / plus de messages /
            plus aucun message / ne mécris plus / ne mécrivez plus / ne me contactez plus / ne me contacte plus /
            ne me contactez pas / ne menvoyez plus de messages / ne menvoie plus de messages /
            arrêtez de mécrire / arrête de mécrire / arrêtez de me contacter / arrête de me contacter /
            arrêtez de menvoyer des messages / arrête de menvoyer des messages / cessez de mécrire /
            cessez de me contacter / retirez moi de la liste / retirez moi de votre liste /
            supprimez moi de votre liste / enlevez moi de la liste / je ne veux plus de messages /
            je ne veux plus recevoir de messages / laissez moi tranquille / laisse moi tranquille /
            fichez moi la paix
        """),
        _said("""
            sil vous plaît / sil te plaît / svp / stp / merci / merci beaucoup / bonjour / salut / ok / non /
            non merci / maintenant / merci de
        """),
    ),
    "hi": Language(
        _said("""
            बंद करो / बंद करें / बंद कीजिए / संदेश बंद करो / संदेश बंद करें / मैसेज बंद करो / मैसेज बंद करें /
            मैसेज मत करो / मुझे मैसेज मत करो / मुझे मैसेज न करें / मुझे मैसेज ना करें / मुझे संदेश मत भेजो /
            मुझे संदेश न भेजें / मैसेज मत भेजो / मुझसे संपर्क न करें / मुझसे संपर्क मत करो / सदस्यता समाप्त करें /
            सदस्यता रद्द करें / मुझे सूची से हटाओ / मुझे सूची से हटाएं / मुझे परेशान मत करो / band karo /
            band kare / message mat karo / mujhe message mat karo / message mat bhejo / mujhe message mat bhejo /
            msg mat karo / mat bhejo / mujhe pareshan mat karo
        """),
        _said("कृपया / प्लीज / प्लीज़ / धन्यवाद / शुक्रिया / नमस्ते / अब / please / plz / kripya / ab / bhai"),
    ),
    "id": Language(
        _said("""
            berhenti / hentikan / setop / henti / berhenti berlangganan / batal berlangganan /
            batalkan langganan / jangan hubungi saya / jangan hubungi saya lagi / jangan kirim pesan /
            jangan kirim pesan lagi / jangan kirimi saya pesan / jangan kirimi saya pesan lagi /
            jangan chat saya lagi / jangan chat lagi / jangan dm saya lagi / jangan dm lagi / jangan ganggu saya /
            jangan ganggu saya lagi / berhenti mengirim pesan / berhenti mengirimi saya pesan /
            berhenti menghubungi saya / hapus saya dari daftar / keluarkan saya dari daftar /
            saya tidak mau dihubungi lagi
        """),
        _said("tolong / mohon / terima kasih / makasih / halo / hai / ok / ya / sekarang / maaf / kak / min"),
    ),
    "it": Language(
        _said("""
            basta / basta messaggi / smettila / smettetela / smetti / smetta / fermati / fermatevi / cancellami /
            cancellatemi / cancella iscrizione / disiscrivimi / disiscrivetemi / disiscrizione /
            annulla iscrizione / niente più messaggi / nessun altro messaggio / non scrivermi /
            non scrivermi più / non scrivetemi / non scrivetemi più / non mi scriva più / non mi scrivere più /
            non contattarmi / non contattarmi più / non contattatemi / non contattatemi più /
            non mi contatti più / non mi contattate più / non mandarmi più messaggi / non mandatemi più messaggi /
            non inviatemi più messaggi / smettila di scrivermi / smettetela di scrivermi / smetti di scrivermi /
            smettete di scrivermi / toglimi dalla lista / toglietemi dalla lista / rimuovimi dalla lista /
            rimuovetemi dalla lista / non voglio più messaggi / non voglio più ricevere messaggi /
            lasciami in pace / lasciatemi in pace
        """),
        _said("""
            per favore / perfavore / per piacere / grazie / grazie mille / ciao / salve / ok / ora / adesso /
            no grazie
        """),
    ),
    "ja": Language(
        _said("""
            停止 / 配信停止 / 配信停止希望 / 配信を停止してください / 解除 / 登録解除 / 購読解除 / やめて /
            やめてください / 止めて / 止めてください / もうやめて / もうやめてください / 送らないで /
            送らないでください / もう送らないで / もう送らないでください / メッセージを送らないで /
            メッセージを送らないでください / メッセージを送るのをやめてください /
            もうメッセージを送らないでください / 連絡しないで / 連絡しないでください / もう連絡しないで /
            もう連絡しないでください / 二度と連絡しないで / 二度と連絡しないでください / dmしないで /
            dmしないでください / dmを送らないでください / リストから削除してください / 連絡不要です / 連絡不要
        """),
        _said("""
            すみません / すいません / お願いします / お願いいたします / ありがとうございます / こんにちは /
            今すぐ / どうか
        """),
        has_blanks=False,
    ),
    "ko": Language(
        _said("""
            그만 / 그만해 / 그만해요 / 그만하세요 / 그만해주세요 / 그만보내 / 그만보내세요 / 그만보내주세요 /
            중지 / 중단 / 중단해주세요 / 중지해주세요 / 수신거부 / 수신거부합니다 / 구독취소 / 구독해지 / 해지 /
            연락하지마 / 연락하지마세요 / 연락하지말아주세요 / 다시는연락하지마세요 / 더이상연락하지마세요 /
            메시지보내지마 / 메시지보내지마세요 / 메세지보내지마세요 / 더이상메시지보내지마세요 /
            더이상보내지마세요 / 디엠보내지마세요 / 디엠하지마세요 / 보내지마 / 보내지마세요 / 명단에서빼주세요 /
            목록에서삭제해주세요
        """),
        _said("제발 / 부탁합니다 / 부탁드립니다 / 감사합니다 / 고맙습니다 / 안녕하세요 / 지금 / 이제 / 죄송합니다"),
        has_blanks=False,
    ),
    "nl": Language(
        _said("""
            stop ermee / stop hiermee / hou op / houd op / ophouden / afmelden / meld me af / meld mij af /
            uitschrijven / schrijf me uit / schrijf mij uit / geen berichten / geen berichten meer /
            geen berichten meer sturen / geen reclame / geen reclame meer / stuur me geen berichten meer /
            stuur mij geen berichten meer / stuur geen berichten meer / niet meer sturen / niet meer contacteren /
            niet meer benaderen / neem geen contact meer op / neem geen contact meer met me op /
            neem geen contact meer met mij op / contacteer me niet meer / benader me niet meer /
            stop met berichten sturen / stop met me berichten te sturen / haal me van de lijst /
            haal mij van de lijst / verwijder me van de lijst / verwijder mij uit de lijst / laat me met rust /
            laat mij met rust / ik wil geen berichten meer
        """),
        _said("""
            alsjeblieft / alstublieft / aub / ajb / svp / graag / bedankt / dank je / dank u / dankjewel / hallo /
            hoi / ok / nu / nee / nee bedankt
        """),
    ),
    "pl": Language(
        _said("""
            przestań / przestańcie / proszę przestać / dość / wypisz / wypisz mnie / wypiszcie mnie /
            wypisz mnie z listy / proszę mnie wypisać / rezygnuję / anuluj subskrypcję / koniec wiadomości /
            żadnych wiadomości / żadnych więcej wiadomości / nie pisz / nie pisz do mnie /
            nie pisz do mnie więcej / nie pisz więcej / nie piszcie do mnie / nie piszcie do mnie więcej /
            proszę do mnie nie pisać / proszę nie pisać / proszę więcej nie pisać /
            proszę więcej do mnie nie pisać / nie kontaktuj się ze mną / nie kontaktujcie się ze mną /
            proszę się ze mną nie kontaktować / nie wysyłaj mi wiadomości / nie wysyłaj mi więcej wiadomości /
            nie wysyłajcie mi wiadomości / nie wysyłajcie mi więcej wiadomości / przestań do mnie pisać /
            przestańcie do mnie pisać / przestań pisać / usuń mnie z listy / usuńcie mnie z listy /
            nie chcę więcej wiadomości / nie życzę sobie wiadomości / zostaw mnie w spokoju /
            zostawcie mnie w spokoju / daj mi spokój / dajcie mi spokój
        """),
        _said("proszę / dziękuję / dzięki / cześć / dzień dobry / hej / ok / już / teraz / nie dziękuję"),
    ),
    "pt": Language(
        _said("""
            pare / pare agora / parar / para por favor / por favor para / parem / chega / basta / sair /
            descadastrar / me descadastre / quero sair da lista / cancelar / cancelar inscrição /
            cancelar subscrição / remover / me remova / me remova da lista / me tira da lista / me tire da lista /
            retire me da lista / remova me da lista / sem mais mensagens / chega de mensagens / não me escreva /
            não me escreva mais / não me escrevas mais / não me escrevam mais / não me mande mensagem /
            não me mande mais mensagem / não me mande mais mensagens / não me mandem mais mensagens /
            não me envie mensagens / não me envie mais mensagens / não me enviem mais mensagens / não me contate /
            não me contate mais / não me contacte mais / não me contactem mais / não entre em contato /
            não entre mais em contato / pare de me mandar mensagem / pare de me mandar mensagens /
            pare de me enviar mensagens / para de me mandar mensagem / parem de me mandar mensagens /
            parem de me enviar mensagens / não quero mais mensagens / não quero receber mensagens /
            não quero mais receber mensagens / me deixa em paz / me deixe em paz / deixem me em paz
        """),
        _said("por favor / pfv / pf / obrigado / obrigada / olá / oi / ok / não obrigado / não obrigada"),
    ),
    "ru": Language(
        _said("""
            стоп / хватит / прекрати / прекратите / перестань / перестаньте / отписаться / отпишите /
            отпишите меня / отписка / отмена / отказ от рассылки / отказываюсь от рассылки / не пиши /
            не пиши мне / не пиши мне больше / больше не пиши / больше мне не пиши / не пишите / не пишите мне /
            не пишите мне больше / больше не пишите / больше мне не пишите / не надо мне писать /
            не нужно мне писать / не присылайте мне сообщения / не присылайте сообщения /
            не присылай мне сообщения / не отправляйте мне сообщения / не связывайтесь со мной /
            больше не связывайтесь со мной / перестаньте мне писать / перестань мне писать /
            прекратите мне писать / прекратите писать / хватит мне писать / хватит писать /
            удалите меня из списка / уберите меня из списка / удалите меня из рассылки /
            уберите меня из рассылки / оставьте меня в покое / оставь меня в покое /
            я не хочу получать сообщения / не беспокойте / не беспокойте меня
        """),
        _said("""
            пожалуйста / плиз / пж / прошу / спасибо / здравствуйте / привет / добрый день / ок / уже / нет /
            нет спасибо / больше
        """),
    ),
    "tr": Language(
        _said("""
            durdur / durdurun / durun / yeter / abonelikten çık / abonelikten çıkar / aboneliği iptal et / iptal /
            listeden çıkar / listeden çıkarın / beni listeden çıkar / beni listeden çıkarın /
            beni listenizden çıkarın / mesaj atma / mesaj atmayın / bana mesaj atma / bana mesaj atmayın /
            bir daha mesaj atma / bir daha mesaj atmayın / bana bir daha mesaj atmayın / mesaj gönderme /
            mesaj göndermeyin / bana mesaj gönderme / bana mesaj göndermeyin / bana yazma / bana yazmayın /
            bir daha yazma / bir daha yazmayın / bana bir daha yazmayın / yazmayın / benimle iletişime geçmeyin /
            benimle iletişim kurmayın / mesaj istemiyorum / artık mesaj istemiyorum / mesaj almak istemiyorum /
            rahatsız etme / rahatsız etmeyin / beni rahatsız etmeyin / beni rahat bırak / beni rahat bırakın
        """),
        _said("""
            lütfen / teşekkürler / teşekkür ederim / sağ olun / merhaba / selam / tamam / artık / hemen / şimdi /
            hayır
        """),
    ),
    "uk": Language(
        _said("""
            стоп / досить / годі / припини / припиніть / перестань / перестаньте / відписатися / відписатись /
            відпишіть / відпишіть мене / відписка / скасувати підписку / не пиши / не пиши мені /
            не пиши мені більше / більше не пиши / більше мені не пиши / не пишіть / не пишіть мені /
            не пишіть мені більше / більше не пишіть / більше мені не пишіть / не надсилайте мені повідомлення /
            не надсилайте мені повідомлень / не надсилайте повідомлень / не звязуйтеся зі мною /
            не контактуйте зі мною / перестаньте мені писати / перестань мені писати / припиніть мені писати /
            досить мені писати / видаліть мене зі списку / приберіть мене зі списку / видаліть мене з розсилки /
            дайте мені спокій / залиште мене в спокої / залиште мене у спокої / не турбуйте / не турбуйте мене
        """),
        _said("""
            будь ласка / прошу / дякую / добрий день / привіт / вітаю / ок / вже / зараз / ні / ні дякую / більше
        """),
    ),
    "zh": Language(
        _said("""
            停 / 停止 / 停止发送 / 停止發送 / 别发了 / 別發了 / 不要再发了 / 不要再發了 / 别再发了 / 別再發了 /
            退订 / 退訂 / 取消订阅 / 取消訂閱 / 取消 / 不要发消息 / 不要给我发消息 / 不要再给我发消息 /
            不要再给我发消息了 / 不要再发消息给我 / 不要再發訊息給我 / 不要再傳訊息給我 / 不要傳訊息給我 /
            别给我发消息 / 别再给我发消息 / 别再给我发消息了 / 別再傳訊息給我 / 不要联系我 / 不要再联系我 /
            不要再联系我了 / 别联系我 / 别再联系我 / 不要聯絡我 / 不要再聯絡我 / 別再聯絡我 / 勿扰 / 请勿打扰 /
            請勿打擾 / 不要打扰我 / 不要打擾我 / 别烦我 / 別煩我 / 不要骚扰我 / 不要騷擾我 / 从列表中删除我 /
            把我从名单中删除 / 把我从列表中删除
        """),
        _said("请 / 請 / 麻烦 / 麻煩 / 谢谢 / 謝謝 / 你好 / 您好 / 吧 / 现在 / 現在 / 好的 / 抱歉"),
        has_blanks=False,
    ),
}  # fmt: skip
