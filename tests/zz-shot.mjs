import { chromium } from 'playwright-core';
const [,, hash, out, width='1180', scheme='light', ...steps] = process.argv;
const b=await chromium.launch({executablePath:'/usr/bin/chromium',args:['--no-sandbox','--disable-gpu']});
const page=await (await b.newContext({viewport:{width:Number(width),height:900},colorScheme:scheme,deviceScaleFactor: Number(width)<500?2:1})).newPage();
page.on('pageerror',e=>console.log('pageerror',e.message)); page.on('console',m=>{ if(m.type()==='error') console.log('console',m.text())});
await page.goto('http://127.0.0.1:18123/'+hash); await page.waitForTimeout(2500);
for (const s of steps) { await eval(`(async()=>{${s}})()`); }
await page.waitForTimeout(800);
await page.screenshot({path:out,fullPage:true}); await b.close();
